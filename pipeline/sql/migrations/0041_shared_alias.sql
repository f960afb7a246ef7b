-- Several people may go by one name, address or number: each is kept, once a customer.
ALTER TABLE customer_alias RENAME TO first_alias;
CREATE TABLE customer_alias (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    PRIMARY KEY (kind, value, customer_id)
);
INSERT INTO customer_alias FROM first_alias;
DROP TABLE first_alias;
