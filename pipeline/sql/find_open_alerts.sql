-- Of a customer who was merged into another, they are the other's.
SELECT
    a.alert_id, coalesce(l.customer_id, a.customer_id) AS customer_id, a.kind, a.opened_at, a.rank, a.headline, a.explanation,
    a.message_ids, a.cleared_at
FROM alert AS a
LEFT JOIN customer_link AS l ON l.profile = a.customer_id
WHERE a.cleared_at IS NULL
ORDER BY a.rank DESC, a.alert_id;
