SELECT
    d.target, d.attempts, d.detail,
    a.alert_id, a.customer_id, a.kind, a.opened_at, a.rank, a.headline, a.explanation, a.message_ids, a.cleared_at
FROM delivery AS d
INNER JOIN alert AS a USING (alert_id)
WHERE d.state = 'due'
ORDER BY a.rank DESC, a.alert_id, d.target;
