SELECT happened_at AS "at", kind FROM customer_event WHERE customer_id = $customer ORDER BY "at", kind;
