-- The only table that can name anybody: drop it and the rest is anonymous.
CREATE TABLE customer_alias (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    PRIMARY KEY (kind, value)
);
