-- Episodes: at most one open alert a customer and kind.
CREATE TABLE alert (
    alert_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    opened_at TIMESTAMP NOT NULL,
    cleared_at TIMESTAMP,
    rank DOUBLE NOT NULL,
    headline TEXT NOT NULL,
    explanation TEXT NOT NULL,
    message_ids TEXT[] NOT NULL
);
