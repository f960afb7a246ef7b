-- Of a snapshot: everything said with one customer, agents' turns too, and what the customer's messages did.
SELECT
    m.message_id, m.sent_at, m.source, m.channel, m.role, m.author, m.thread_id, m.text, m.rating, m.mood_label,
    m.mood AS probabilities, m.intent_labels, m.disservice_labels, m.unscored, p.level, p.level_before
FROM message AS m
LEFT JOIN mood_point AS p USING (customer_id, message_id)
WHERE m.customer_id = $customer
ORDER BY m.sent_at, m.message_id;
