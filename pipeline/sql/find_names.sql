-- How each customer is called on screen, whatever profiles they were merged from. Needs incoming_chosen (customer_id).
SELECT
    c.customer_id,
    arg_min(a.value, coalesce(list_position(['name', 'handle', 'email', 'id', 'phone'], a.kind), 9)) AS name
FROM incoming_chosen AS c
LEFT JOIN customer_link AS l ON l.profile = c.customer_id
INNER JOIN known_alias AS a ON a.customer_id = coalesce(l.customer_id, c.customer_id)
GROUP BY c.customer_id;
