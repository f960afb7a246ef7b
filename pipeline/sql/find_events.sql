-- What happened to the chosen customers besides messages, each event once.
SELECT DISTINCT customer_id, kind, happened_at
FROM tracked_event
WHERE customer_id IN (SELECT customer_id FROM incoming_chosen)
ORDER BY customer_id, happened_at, kind;
