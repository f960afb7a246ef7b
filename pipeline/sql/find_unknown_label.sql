SELECT message_id FROM incoming_label
WHERE message_id NOT IN (SELECT message_id FROM message)
ORDER BY message_id
LIMIT 1;
