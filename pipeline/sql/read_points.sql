SELECT "at", mood, level FROM mood_point WHERE customer_id = $customer ORDER BY "at", message_id;
