-- One customer's newest $limit messages, agents' turns included, oldest first, with the effect of each on the mood.
SELECT
    m.message_id, m.source, m.channel, m.role, m.author, m.thread_id, m.sent_at, m.text, m.rating, m.product,
    m.department, m.reach, m.mood_label, m.mood, m.intent_labels, m.disservice_labels, m.unscored,
    p.level - p.level_before AS effect
FROM (FROM message WHERE customer_id = $customer ORDER BY sent_at DESC, message_id DESC LIMIT $limit) AS m
LEFT JOIN (FROM mood_point WHERE customer_id = $customer) AS p USING (message_id)
ORDER BY m.sent_at, m.message_id
