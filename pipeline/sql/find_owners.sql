-- Whose the named messages (by id) and threads (source and id joined by a tab) are.
SELECT DISTINCT customer_id
FROM attributed_message
WHERE
    customer_id IS NOT NULL
    AND (message_id IN (FROM incoming_moved) OR concat(source, chr(9), thread_id) IN (FROM incoming_moved));
