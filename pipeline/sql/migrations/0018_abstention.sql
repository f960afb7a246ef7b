-- Append-only, one row a message and model version that did not read it, and why; a new version tries anew.
CREATE TABLE abstention (
    message_id TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (message_id, version)
);
