-- Open alerts, the most urgent first, or cleared ones, the newest first.
SELECT
    a.alert_id, a.customer_id, c.name, a.kind, a.opened_at, a.cleared_at, a.rank, a.headline, a.explanation,
    a.message_ids, m.stage, m.value_at_risk, m.as_of
FROM alert AS a
LEFT JOIN customer AS c USING (customer_id)
LEFT JOIN customer_mood AS m USING (customer_id)
WHERE (a.cleared_at IS NULL) = $open
ORDER BY CASE WHEN $open THEN a.rank ELSE epoch(a.cleared_at) END DESC, a.alert_id
LIMIT $limit
