SELECT message_id, "at", item, effect FROM ledger_entry WHERE customer_id = $customer ORDER BY "at", message_id, item;
