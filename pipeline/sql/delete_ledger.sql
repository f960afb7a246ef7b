DELETE FROM ledger_entry WHERE customer_id IN (SELECT customer_id FROM staged_mood);
