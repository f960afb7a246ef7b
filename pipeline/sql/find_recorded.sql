-- Those of some profiles that the company's own records list.
SELECT customer_id FROM customer WHERE recorded AND customer_id IN (SELECT customer_id FROM incoming_chosen);
