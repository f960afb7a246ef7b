-- What the chosen customers wrote and how one version reads it. A message without text, or that the version declined to
-- read, has no reading: it counts as an arrival that says nothing.
WITH written AS MATERIALIZED (
    SELECT
        customer_id, message_id, source, channel, thread_id, sent_at, rating, value, heard_until
    FROM tracked_message
    WHERE customer_id IN (SELECT customer_id FROM incoming_chosen)
),
heard AS (
    SELECT customer_id, heard_to(sent_at, heard_until) AS as_of
    FROM written
    GROUP BY customer_id
)
SELECT
    m.customer_id, m.message_id, m.source, m.channel, m.thread_id, m.sent_at, m.rating,
    r.mood, r.intents, r.disservices, r.intent_labels, r.disservice_labels,
    h.as_of, m.value
FROM written AS m
INNER JOIN heard AS h USING (customer_id)
LEFT JOIN reading AS r ON r.message_id = m.message_id AND r.version = $version
ORDER BY m.customer_id, m.sent_at, m.message_id;
