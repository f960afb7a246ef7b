-- Where customers stand whose sources were heard until $since or later.
SELECT
    customer_id, version, as_of, mood, stage, level, slope_30d, risk_30d, risk_90d, days_left, value_at_risk, messages,
    last_message_at, reasons, slope_7d, lower_30d, level_low, level_high, saveable, drivers
FROM customer_mood
WHERE as_of >= $since
ORDER BY customer_id;
