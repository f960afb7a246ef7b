-- What the chosen customers wrote and how one version reads it. A message without text, or that the version declined to
-- read, has no reading: it counts as an arrival that says nothing. unread: the version has yet to come to it.
-- Their own messages are picked out of all before anything is joined to them.
WITH own AS MATERIALIZED (
    SELECT customer_id, message_id, source, channel, thread_id, sent_at, rating, worded
    FROM attributed_message
    WHERE role = 'customer' AND customer_id IN (SELECT customer_id FROM incoming_chosen)
),
known AS (
    SELECT m.customer_id, heard_to(m.sent_at, s.heard_until) AS as_of, any_value(c.value) AS value
    FROM own AS m
    INNER JOIN source AS s ON s.name = m.source
    LEFT JOIN known_customer AS c ON c.customer_id = m.customer_id
    GROUP BY m.customer_id
)
SELECT
    m.customer_id, m.message_id, m.source, m.channel, m.thread_id, m.sent_at, m.rating,
    r.mood, r.leaving, r.intent_labels, r.disservice_labels, r.disservice_chances,
    k.as_of, k.value, m.worded AND r.message_id IS NULL AND a.message_id IS NULL AS unread
FROM own AS m
INNER JOIN known AS k ON k.customer_id = m.customer_id
LEFT JOIN reading AS r ON r.message_id = m.message_id AND r.version = $version
LEFT JOIN abstention AS a ON a.message_id = m.message_id AND a.version = $version
ORDER BY m.customer_id, m.sent_at, m.message_id;
