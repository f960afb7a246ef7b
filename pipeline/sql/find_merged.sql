-- Customers made of several profiles, each profile with its names; $most: NULL is all of them.
WITH chosen AS (
    SELECT DISTINCT customer_id FROM customer_link ORDER BY customer_id LIMIT $most
),
member AS (
    SELECT customer_id, customer_id AS profile FROM chosen
    UNION ALL
    SELECT l.customer_id, l.profile FROM customer_link AS l SEMI JOIN chosen USING (customer_id)
)
SELECT
    m.customer_id, m.profile,
    list({'kind': a.kind, 'value': a.value} ORDER BY a.kind, a.value) FILTER (a.kind IS NOT NULL) AS aliases
FROM member AS m
LEFT JOIN customer_alias AS a ON a.customer_id = m.profile
GROUP BY m.customer_id, m.profile
ORDER BY m.customer_id, m.profile <> m.customer_id, m.profile;
