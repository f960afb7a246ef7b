-- Customers whose id is $text or whose name or address holds it ($pattern, escaped with a backslash).
SELECT c.customer_id, c.name, m.stage, m.value_at_risk
FROM customer AS c
LEFT JOIN customer_mood AS m USING (customer_id)
WHERE
    c.customer_id = $text
    OR c.name ILIKE $pattern ESCAPE '\'
    OR c.customer_id IN (SELECT customer_id FROM customer_alias WHERE value ILIKE $pattern ESCAPE '\')
ORDER BY m.value_at_risk DESC NULLS LAST, c.name, c.customer_id
LIMIT $limit
