INSERT INTO customer_link (profile, customer_id)
SELECT profile, customer_id FROM incoming_link
ON CONFLICT (profile) DO UPDATE SET customer_id = excluded.customer_id
WHERE customer_link.customer_id <> excluded.customer_id;
