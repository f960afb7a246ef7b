-- Records that could not become messages. record: the mapped fields as JSON, masked.
CREATE TABLE quarantine (
    quarantine_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    channel TEXT NOT NULL,
    origin TEXT NOT NULL,
    line BIGINT NOT NULL,
    reason TEXT NOT NULL,
    record TEXT NOT NULL,
    quarantined_at TIMESTAMP NOT NULL,
    replayed_at TIMESTAMP
);
