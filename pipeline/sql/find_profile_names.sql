SELECT customer_id, value
FROM customer_alias
WHERE kind = 'name' AND customer_id IN (SELECT customer_id FROM incoming_chosen)
ORDER BY customer_id, value;
