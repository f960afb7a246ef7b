-- Of a snapshot: the customer known by an id or by any alias.
SELECT * FROM customer_mood
WHERE customer_id = $name OR customer_id IN (
    SELECT customer_id FROM customer_alias
    WHERE (kind = $kind AND value = $value) OR (kind = 'handle' AND value = $handle)
        OR (kind = 'name' AND lower(value) = $handle)
)
ORDER BY customer_id;
