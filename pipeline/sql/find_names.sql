-- How each customer is called on screen. Needs the table incoming_chosen (customer_id).
SELECT a.customer_id, arg_min(a.value, list_position(['name', 'handle', 'email', 'id', 'phone'], a.kind))
FROM customer_alias AS a
JOIN incoming_chosen USING (customer_id)
GROUP BY a.customer_id;
