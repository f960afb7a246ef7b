-- The incoming states with the parameters that they were computed with, in the order of customer_mood's columns.
CREATE OR REPLACE TEMP TABLE staged_mood AS
SELECT
    customer_id, version, $parameters::TEXT AS parameters, as_of, mood, stage, level, slope_30d, risk_30d, risk_90d,
    days_left, value_at_risk, messages, last_message_at, reasons, slope_7d, lower_30d, level_low, level_high, saveable,
    drivers
FROM incoming_mood;
