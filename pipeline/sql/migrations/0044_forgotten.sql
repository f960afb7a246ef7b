-- Whom a person asked to forget: no alias of these profiles is ever stored again.
CREATE TABLE forgotten (
    customer_id TEXT PRIMARY KEY,
    forgotten_at TIMESTAMP NOT NULL
);
