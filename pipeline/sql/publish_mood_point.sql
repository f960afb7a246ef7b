CREATE TABLE snapshot.mood_point AS FROM mood_point ORDER BY customer_id, "at", message_id;
