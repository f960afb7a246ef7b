INSERT INTO outcome (customer_id, kind, happened_at)
SELECT customer_id, kind, happened_at FROM incoming_outcome
ON CONFLICT DO NOTHING
RETURNING customer_id;
