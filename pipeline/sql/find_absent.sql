-- The messages of a source sent between two times, and whether each is among incoming_seen (message_id); with a role,
-- only what these people wrote.
SELECT m.message_id, s.message_id IS NOT NULL AS is_seen
FROM message AS m
LEFT JOIN (SELECT DISTINCT message_id FROM incoming_seen) AS s USING (message_id)
WHERE m.source = $source AND m.sent_at BETWEEN $begin AND $end AND m.erased IS NULL
    AND m.role = coalesce($role, m.role)
ORDER BY m.message_id;
