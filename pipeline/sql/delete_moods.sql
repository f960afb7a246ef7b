DELETE FROM customer_mood WHERE customer_id IN (SELECT customer_id FROM staged_mood);
