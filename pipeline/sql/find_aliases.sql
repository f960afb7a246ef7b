SELECT kind, value FROM customer_alias WHERE customer_id IN (SELECT customer_id FROM incoming_chosen) ORDER BY ALL;
