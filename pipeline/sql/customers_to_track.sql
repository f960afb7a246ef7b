-- Customers whose newest mood was computed from something else than what lies here now: other messages (an id
-- and its revision say all), another time heard until, another worth, another version or other parameters.
-- Those with a message that this version has not come to yet wait: a customer's line never mixes versions.
WITH present AS (
    SELECT customer_id, hash(sum(hash(message_id, revision)), max(heard_until), any_value(value)) AS inputs
    FROM tracked_message
    GROUP BY customer_id
),
stale AS MATERIALIZED (
    SELECT p.customer_id
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
SELECT s.customer_id
FROM stale AS s
WHERE NOT EXISTS (SELECT 1 FROM unread AS u WHERE u.customer_id = s.customer_id)
ORDER BY s.customer_id;
