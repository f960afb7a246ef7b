CREATE TABLE snapshot.customer_event AS
SELECT DISTINCT customer_id, kind, happened_at FROM tracked_event ORDER BY customer_id, happened_at, kind;
