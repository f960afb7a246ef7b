-- What cost and what lifted one customer's mood, in all, the dearest first.
SELECT item, sum(effect) AS effect, count(DISTINCT message_id) AS messages, max("at") AS last_at
FROM ledger_entry
WHERE customer_id = $customer
GROUP BY item
ORDER BY effect, item
LIMIT 50
