-- The messages that a customer's mood is computed from, with what else it depends on.
CREATE VIEW tracked_message AS
SELECT m.*, s.heard_until, c.value
FROM message AS m
INNER JOIN source AS s ON s.name = m.source
LEFT JOIN customer AS c ON c.customer_id = m.customer_id
WHERE m.role = 'customer' AND m.customer_id IS NOT NULL;
