INSERT INTO news
SELECT customer_id FROM tracked_message
UNION
SELECT customer_id FROM customer_mood;
