SELECT alert_id, customer_id, kind, opened_at, rank, headline, explanation, message_ids, cleared_at
FROM alert
ORDER BY opened_at, alert_id;
