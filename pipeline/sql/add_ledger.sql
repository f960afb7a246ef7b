INSERT INTO ledger_entry BY NAME FROM incoming_ledger;
