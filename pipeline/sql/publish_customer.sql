CREATE TABLE snapshot.customer AS
WITH named AS (
    SELECT
        customer_id,
        first(
            CASE kind WHEN 'handle' THEN '@' || value ELSE value END
            ORDER BY coalesce(list_position(['name', 'handle', 'email', 'id', 'phone'], kind), 9), value
        ) AS name
    FROM known_alias
    GROUP BY customer_id
)
SELECT c.customer_id, coalesce(n.name, c.customer_id) AS name, c.segment, c.plan, c.value
FROM known_customer AS c
LEFT JOIN named AS n USING (customer_id)
ORDER BY c.customer_id;
