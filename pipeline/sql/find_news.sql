-- Customers whose newest mood was computed from something else than what lies here now: other messages or events,
-- another day heard until, another worth, another version or other parameters. Who never wrote has no mood.
-- Those with a message that this version has not come to yet wait: a customer's line never mixes versions.
WITH present AS (
    SELECT customer_id, mood_digest(digest, sent_at, heard_until, value) AS inputs
    FROM mood_input
    GROUP BY customer_id
    HAVING max(sent_at) IS NOT NULL
),
stale AS MATERIALIZED (
    SELECT p.customer_id, p.inputs
    FROM present AS p
    LEFT JOIN customer_mood AS k USING (customer_id)
    WHERE
        k.customer_id IS NULL OR k.inputs <> p.inputs OR k.version <> $version OR k.parameters <> $parameters
),
unread AS (
    SELECT m.customer_id
    FROM attributed_message AS m
    WHERE
        m.role = 'customer' AND m.text <> '' AND m.customer_id IN (SELECT customer_id FROM stale)
        AND NOT EXISTS (SELECT 1 FROM reading AS r WHERE r.message_id = m.message_id AND r.version = $version)
        AND NOT EXISTS (SELECT 1 FROM abstention AS a WHERE a.message_id = m.message_id AND a.version = $version)
)
SELECT s.customer_id, s.inputs
FROM stale AS s
WHERE NOT EXISTS (SELECT 1 FROM unread AS u WHERE u.customer_id = s.customer_id)
ORDER BY s.customer_id;
