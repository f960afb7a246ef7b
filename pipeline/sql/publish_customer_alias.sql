-- All that each customer goes by; an id that was merged into another customer's is one of its names.
CREATE TABLE snapshot.customer_alias AS
SELECT kind, value, customer_id FROM known_alias
UNION
SELECT 'id', profile, customer_id FROM customer_link
ORDER BY customer_id, kind, value;
