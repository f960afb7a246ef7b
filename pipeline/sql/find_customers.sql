SELECT DISTINCT kind, value, a.customer_id
FROM customer_alias AS a
INNER JOIN incoming_name AS n USING (kind, value);
