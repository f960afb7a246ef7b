-- Under which profiles moved messages and threads landed.
SELECT DISTINCT m.customer_id
FROM incoming_gone_move AS g
INNER JOIN message AS m ON m.message_id = g.moved OR concat(m.source, chr(9), m.thread_id) = g.moved
WHERE m.customer_id IS NOT NULL;
