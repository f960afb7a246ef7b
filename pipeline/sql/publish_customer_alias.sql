CREATE TABLE snapshot.customer_alias AS FROM customer_alias ORDER BY customer_id, kind, value;
