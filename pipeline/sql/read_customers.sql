-- Of a snapshot: the customers most worth a call first.
SELECT * FROM customer_mood
ORDER BY value_at_risk DESC, customer_id
LIMIT $most;
