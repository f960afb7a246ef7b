-- Of a snapshot: where every customer stands.
SELECT customer_id, stage, level FROM customer_mood;
