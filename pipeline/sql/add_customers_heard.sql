-- Everybody whom a landing names becomes a customer; what the company knows of them comes later.
INSERT INTO customer (customer_id)
SELECT customer_id FROM incoming_message WHERE customer_id IS NOT NULL
UNION
SELECT customer_id FROM incoming_alias
ON CONFLICT DO NOTHING;
