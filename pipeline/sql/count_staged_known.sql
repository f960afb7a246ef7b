-- How many of the staged customers have a stored state.
SELECT count(*) FROM customer_mood WHERE customer_id IN (SELECT customer_id FROM staged_mood);
