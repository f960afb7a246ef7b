INSERT INTO purchase (purchase_id, customer_id, bought_at, product, amount)
SELECT purchase_id, customer_id, bought_at, product, amount FROM incoming_purchase
ON CONFLICT (purchase_id) DO UPDATE SET product = excluded.product, amount = excluded.amount
WHERE purchase.product IS DISTINCT FROM excluded.product OR purchase.amount IS DISTINCT FROM excluded.amount
RETURNING customer_id;
