-- An alias that is known keeps its customer.
INSERT INTO customer_alias (kind, value, customer_id)
SELECT kind, value, customer_id FROM incoming_alias
ON CONFLICT DO NOTHING;
