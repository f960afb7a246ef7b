CREATE TABLE customer (
    customer_id TEXT PRIMARY KEY,
    segment TEXT,
    plan TEXT,
    value DOUBLE
);
