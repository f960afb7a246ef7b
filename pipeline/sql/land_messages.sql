INSERT INTO message (
    message_id, source, channel, text, sent_at, customer_id, role, author, thread_id, rating, product, department,
    reach, edited_at, landed_at
)
SELECT
    message_id, source, channel, text, sent_at, customer_id, role, author, thread_id, rating, product, department,
    reach, edited_at, $now
FROM incoming_message
ON CONFLICT DO NOTHING;
