-- What else the company's own records say. recorded: the records name this customer; two of those are never one person
-- unless somebody says so. Order numbers are aliases, so that a purchase names nobody.
ALTER TABLE customer ADD COLUMN owner TEXT;
ALTER TABLE customer ADD COLUMN recorded BOOLEAN DEFAULT false;
CREATE TABLE purchase (
    purchase_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL,
    bought_at TIMESTAMP NOT NULL,
    product TEXT,
    amount DOUBLE
);
-- kind: left, renewed or won_back.
CREATE TABLE outcome (
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    happened_at TIMESTAMP NOT NULL,
    PRIMARY KEY (customer_id, kind, happened_at)
);
