-- What tracking computes beside: a steeper window, the chance of a lower step, an interval, who can be saved, exact
-- contributions; and what of each effect is not forgotten. All of it is recomputable: it is dropped here, so that the
-- next run fills in every customer.
ALTER TABLE customer_mood ADD COLUMN slope_7d DOUBLE;
ALTER TABLE customer_mood ADD COLUMN lower_30d DOUBLE;
ALTER TABLE customer_mood ADD COLUMN level_low DOUBLE;
ALTER TABLE customer_mood ADD COLUMN level_high DOUBLE;
ALTER TABLE customer_mood ADD COLUMN saveable BOOLEAN;
ALTER TABLE customer_mood
ADD COLUMN drivers STRUCT(kind TEXT, message_id TEXT, level_without DOUBLE, risk_90d_without DOUBLE)[];
ALTER TABLE ledger_entry ADD COLUMN standing DOUBLE;
DELETE FROM customer_mood;
DELETE FROM mood_point;
DELETE FROM ledger_entry;
