-- What cost and what lifted one customer's mood, in all and in the 30 days up to their as_of, the dearest first.
SELECT
    l.item, sum(l.effect) AS effect, count(DISTINCT l.message_id) AS messages,
    coalesce(sum(l.effect) FILTER (l."at" >= k.as_of - INTERVAL 30 DAY), 0) AS effect_30d
FROM ledger_entry AS l
LEFT JOIN customer_mood AS k USING (customer_id)
WHERE l.customer_id = $customer
GROUP BY l.item
ORDER BY effect, l.item
LIMIT 50
