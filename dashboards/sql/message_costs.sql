-- On which items the newest messages' effects were booked.
SELECT message_id, item, effect
FROM ledger_entry
WHERE customer_id = $customer
ORDER BY "at" DESC, message_id, effect
LIMIT $limit
