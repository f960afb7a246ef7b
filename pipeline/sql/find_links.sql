SELECT profile, customer_id FROM customer_link;
