-- One customer's mood after each of their newest $limit messages, with what a tooltip says about the message.
SELECT
    p.message_id, p."at", p.mood, p.level, p.level_before, m.channel, m.rating, m.mood_label,
    left(m.text, 160) AS excerpt
FROM (FROM mood_point WHERE customer_id = $customer ORDER BY "at" DESC, message_id DESC LIMIT $limit) AS p
LEFT JOIN (FROM message WHERE customer_id = $customer) AS m USING (message_id)
ORDER BY p."at", p.message_id
