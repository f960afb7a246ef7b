-- Recomputable. What each message cost or gave, in levels, booked on what it names.
CREATE TABLE ledger_entry (
    customer_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    "at" TIMESTAMP NOT NULL,
    item TEXT NOT NULL,
    effect DOUBLE NOT NULL
);
