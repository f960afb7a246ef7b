CREATE TABLE snapshot.ledger_entry AS FROM ledger_entry ORDER BY customer_id, "at", message_id, item;
