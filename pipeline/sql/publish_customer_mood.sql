CREATE TABLE snapshot.customer_mood AS
SELECT
    k.customer_id, c.name, c.segment, c.value, k.version, k.as_of, k.mood, k.stage, k.level, k.slope_30d, k.risk_30d,
    k.risk_90d, k.days_left, k.value_at_risk, k.messages, k.last_message_at, k.reasons,
    k.slope_7d, k.lower_30d, k.level_low, k.level_high, k.saveable, k.drivers
FROM customer_mood AS k
LEFT JOIN snapshot.customer AS c USING (customer_id)
ORDER BY k.customer_id;
