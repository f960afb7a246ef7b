CHECKPOINT snapshot;
