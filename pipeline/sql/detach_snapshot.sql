DETACH snapshot;
