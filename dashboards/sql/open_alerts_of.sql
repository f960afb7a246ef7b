-- The open alerts of some customers, the most urgent first.
SELECT customer_id, kind, headline, opened_at
FROM alert
WHERE cleared_at IS NULL AND customer_id IN (SELECT unnest($customers::TEXT[]))
ORDER BY rank DESC, alert_id
LIMIT 1000
