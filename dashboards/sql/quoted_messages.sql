-- Some messages of some customers, to quote.
SELECT message_id, text, sent_at, channel, mood_label
FROM message
WHERE customer_id IN (SELECT unnest($customers::TEXT[])) AND message_id IN (SELECT unnest($messages::TEXT[]))
LIMIT 1000
