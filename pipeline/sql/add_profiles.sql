-- A profile that a decision made, for what another one wrote.
INSERT INTO customer (customer_id)
SELECT customer_id FROM incoming_profile
ON CONFLICT DO NOTHING;
