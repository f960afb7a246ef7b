-- The customers who go by an id, now or formerly, or by any alias.
SELECT DISTINCT coalesce(l.customer_id, c.customer_id) AS customer_id
FROM customer AS c
LEFT JOIN customer_link AS l ON l.profile = c.customer_id
WHERE
    c.customer_id = $name OR c.customer_id IN (
        SELECT customer_id FROM customer_alias
        WHERE (kind = $kind AND value = $value) OR (kind IN ('handle', 'name') AND lower(value) = $folded)
    )
ORDER BY ALL;
