-- The incoming states with the digest of what they were computed from, which find_news.sql gave; without one, whoever it
-- is will be tracked again.
CREATE OR REPLACE TEMP TABLE staged_mood AS
SELECT
    i.customer_id, i.version, $parameters::TEXT AS parameters, i.as_of, i.mood, i.stage, i.level, i.slope_30d,
    i.risk_30d, i.risk_90d, i.days_left, i.value_at_risk, i.messages, i.last_message_at, i.reasons,
    coalesce(n.inputs, 0::UBIGINT) AS inputs, i.slope_7d, i.lower_30d, i.level_low, i.level_high, i.saveable,
    i.drivers
FROM incoming_mood AS i
LEFT JOIN incoming_news AS n USING (customer_id);
