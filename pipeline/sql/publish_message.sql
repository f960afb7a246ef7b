-- Each message with the reading of the version that made its customer's line, so that a line never mixes versions;
-- or why that version did not read it.
CREATE TABLE snapshot.message AS
SELECT
    m.message_id, m.customer_id, m.source, m.channel, m.role, m.author, m.thread_id, m.sent_at, m.text, m.rating,
    m.product, m.department, m.reach, r.mood_label, r.mood, r.sentiment_label, r.intent_labels, r.disservice_labels,
    r.version, a.reason AS unscored
FROM attributed_message AS m
LEFT JOIN customer_mood AS k USING (customer_id)
LEFT JOIN reading AS r
    ON r.message_id = m.message_id AND r.version = coalesce(k.version, (SELECT version FROM revision))
LEFT JOIN abstention AS a
    ON a.message_id = m.message_id AND a.version = coalesce(k.version, (SELECT version FROM revision))
ORDER BY m.customer_id, m.sent_at, m.message_id;
