-- Of a snapshot: what customers wrote between $begin and $until, with the mood read in it (5 to 1), whether it names a
-- dis-service, the risk of leaving right after it ($risks: of each state), and everything that a filter may ask for.
SELECT
    m.customer_id AS customer, m.sent_at,
    5 * m.mood[1] + 4 * m.mood[2] + 3 * m.mood[3] + 2 * m.mood[4] + m.mood[5] AS mood,
    (len(m.disservice_labels) > 0)::DOUBLE AS disservice,
    list_dot_product(p.mood, $risks::DOUBLE[]) AS risk,
    m.source, m.channel, m.product, m.department, c.segment, c.plan
FROM message AS m
INNER JOIN mood_point AS p USING (customer_id, message_id)
LEFT JOIN customer AS c USING (customer_id)
WHERE m.role = 'customer' AND m.mood IS NOT NULL AND m.sent_at >= $begin AND m.sent_at < $until
ORDER BY m.customer_id, m.sent_at, m.message_id;
