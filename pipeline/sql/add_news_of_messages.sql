-- Messages that came or changed are news of those whose they are, by the same attribution as attributed_message has.
INSERT INTO news
SELECT DISTINCT coalesce(l.customer_id, d.profile, t.profile, m.customer_id)
FROM changed AS m
LEFT JOIN moved_message AS d ON d.message_id = m.message_id
LEFT JOIN moved_thread AS t ON t.source = m.source AND t.thread_id = m.thread_id AND t.from_profile = m.customer_id
LEFT JOIN customer_link AS l ON l.profile = coalesce(d.profile, t.profile, m.customer_id)
WHERE m.role = 'customer' AND m.customer_id IS NOT NULL;
