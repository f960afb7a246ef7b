-- At most one open alert a customer and kind: a second is not opened.
INSERT INTO alert (alert_id, customer_id, kind, opened_at, cleared_at, rank, headline, explanation, message_ids)
SELECT alert_id, customer_id, kind, opened_at, cleared_at, rank, headline, explanation, message_ids
FROM incoming_alert AS i
WHERE
    NOT EXISTS (
        SELECT 1 FROM alert AS a
        WHERE a.customer_id = i.customer_id AND a.kind = i.kind AND a.cleared_at IS NULL
    )
QUALIFY row_number() OVER (PARTITION BY customer_id, kind ORDER BY rank DESC, alert_id) = 1
ON CONFLICT DO NOTHING;
