INSERT INTO message (
    message_id, source, channel, text, sent_at, customer_id, role, author, thread_id, rating, product, department,
    reach, edited_at, landed_at, worded
)
SELECT
    message_id, source, channel, text, sent_at, customer_id, role, author, thread_id, rating, product, department,
    reach, edited_at, $now, text <> ''
FROM incoming_message
ON CONFLICT DO NOTHING
RETURNING message_id, source, thread_id, customer_id, role;
