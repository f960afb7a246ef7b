INSERT INTO forgotten (customer_id, forgotten_at)
SELECT customer_id, $now FROM incoming_forgotten
ON CONFLICT DO NOTHING;
