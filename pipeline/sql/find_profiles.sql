-- The profiles that make up some customers.
SELECT customer_id FROM incoming_chosen
UNION
SELECT profile FROM customer_link WHERE customer_id IN (SELECT customer_id FROM incoming_chosen)
ORDER BY ALL;
