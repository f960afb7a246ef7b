-- Whom each name means, where it means one profile.
SELECT a.kind, a.value, min(a.customer_id) AS customer_id
FROM customer_alias AS a
INNER JOIN incoming_name AS n USING (kind, value)
GROUP BY a.kind, a.value
HAVING count(DISTINCT a.customer_id) = 1;
