-- Where messages come from. heard_until: up to when silence on this source means anything (UTC).
CREATE TABLE source (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    options TEXT NOT NULL DEFAULT '{}',
    added_at TIMESTAMP NOT NULL,
    heard_until TIMESTAMP
);
