UPDATE message
SET
    text = e.text, worded = e.text <> '', sent_at = e.sent_at, author = e.author, rating = e.rating, reach = e.reach,
    edited_at = coalesce(e.edited_at, message.edited_at), revision = message.revision + 1, erased = NULL
FROM staged_edit AS e
WHERE message.message_id = e.message_id
RETURNING message.message_id, source, thread_id, customer_id, role;
