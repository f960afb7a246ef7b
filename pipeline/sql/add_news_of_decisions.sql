INSERT INTO news SELECT customer_id FROM staged_mood;
