INSERT INTO news SELECT DISTINCT customer_id FROM tracked_message;
