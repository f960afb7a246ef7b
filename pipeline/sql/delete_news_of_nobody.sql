-- Whoever a decision left without a message has no mood to track.
DELETE FROM news WHERE customer_id NOT IN (SELECT customer_id FROM tracked_message);
