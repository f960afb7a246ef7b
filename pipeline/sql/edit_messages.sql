UPDATE message
SET
    text = e.text, sent_at = e.sent_at, author = e.author, rating = e.rating, reach = e.reach,
    edited_at = coalesce(e.edited_at, message.edited_at), revision = message.revision + 1, erased = NULL
FROM staged_edit AS e
WHERE message.message_id = e.message_id;
