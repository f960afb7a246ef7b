-- Where each of some customers stood at the end of each day on which they wrote, over the $days days before their
-- as_of; what came earlier counts as one point.
WITH point AS (
    SELECT
        p.customer_id, p."at", p.level,
        greatest(p."at", k.as_of - to_days($days::INTEGER))::DATE AS day
    FROM mood_point AS p
    INNER JOIN customer_mood AS k USING (customer_id)
    WHERE p.customer_id IN (SELECT unnest($customers::TEXT[]))
)
SELECT customer_id, max("at") AS "at", arg_max(level, "at") AS level
FROM point
GROUP BY customer_id, day
ORDER BY customer_id, "at"
LIMIT 20000
