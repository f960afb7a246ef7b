-- $why: 'gone' was deleted at the source, 'forgotten' here. That somebody wrote then stays; what, and how loud, goes.
UPDATE message
SET
    text = '', worded = false, author = NULL, rating = NULL, reach = NULL, erased = $why, revision = message.revision + 1,
    edited_at = coalesce(e.edited_at, message.edited_at)
FROM staged_erasure AS e
WHERE message.message_id = e.message_id
RETURNING message.message_id, source, thread_id, customer_id, role;
