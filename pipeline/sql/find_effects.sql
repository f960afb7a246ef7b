-- The messages of some customers in the last $days days before the end of their line, with what each did.
-- Needs the table incoming_chosen (customer_id).
SELECT
    p.customer_id, p.message_id, p."at", p.mood, p.level, p.level_before, m.text, m.reach,
    list(e.item ORDER BY e.item) FILTER (e.item IS NOT NULL) AS items,
    list(e.effect ORDER BY e.item) FILTER (e.item IS NOT NULL) AS effects
FROM mood_point AS p
JOIN incoming_chosen USING (customer_id)
JOIN customer_mood AS k USING (customer_id)
JOIN message AS m USING (message_id)
LEFT JOIN ledger_entry AS e ON e.message_id = p.message_id
WHERE p."at" >= k.as_of - to_days($days)
GROUP BY ALL
ORDER BY p.customer_id, p."at", p.message_id;
