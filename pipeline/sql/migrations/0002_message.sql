-- Append-only. Text is masked; all times are UTC.
CREATE TABLE message (
    message_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    channel TEXT NOT NULL,
    text TEXT NOT NULL,
    sent_at TIMESTAMP NOT NULL,
    customer_id TEXT,
    role TEXT NOT NULL,
    author TEXT,
    thread_id TEXT,
    rating DOUBLE,
    product TEXT,
    department TEXT,
    reach BIGINT,
    landed_at TIMESTAMP NOT NULL
);
