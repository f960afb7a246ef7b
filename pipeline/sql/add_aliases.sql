-- Several may go by one alias; of whoever is forgotten none is stored.
INSERT INTO customer_alias (kind, value, customer_id)
SELECT kind, value, customer_id
FROM incoming_alias
WHERE customer_id NOT IN (SELECT customer_id FROM forgotten)
ON CONFLICT DO NOTHING;
