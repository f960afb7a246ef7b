DELETE FROM customer_link WHERE profile NOT IN (SELECT profile FROM incoming_link);
