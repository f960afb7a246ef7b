-- A day that a source has been heard to is news of all who write there, unless they were heard to later elsewhere.
INSERT INTO news
SELECT DISTINCT k.customer_id
FROM attributed_message AS m
INNER JOIN source AS s ON s.name = m.source
INNER JOIN customer_mood AS k ON k.customer_id = m.customer_id
WHERE
    m.role = 'customer'
    AND date_trunc('day', s.heard_until) > coalesce(s.counted_until, '-infinity'::TIMESTAMP)
    AND date_trunc('day', s.heard_until) > k.as_of;
