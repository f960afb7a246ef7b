SELECT alert_id, customer_id, kind, opened_at, rank, headline, explanation, message_ids, cleared_at
FROM alert
WHERE cleared_at IS NULL
ORDER BY rank DESC, alert_id;
