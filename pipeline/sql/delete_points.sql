DELETE FROM mood_point WHERE customer_id IN (SELECT customer_id FROM staged_mood);
