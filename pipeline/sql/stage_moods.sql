-- The incoming states with the digest of what they were computed from; customers_to_track.sql compares it.
CREATE OR REPLACE TEMP TABLE staged_mood AS
WITH present AS (
    SELECT customer_id, mood_digest(digest, sent_at, heard_until, value) AS inputs
    FROM mood_input
    WHERE customer_id IN (SELECT customer_id FROM incoming_mood)
    GROUP BY customer_id
)
SELECT
    i.customer_id, i.version, $parameters::TEXT AS parameters, i.as_of, i.mood, i.stage, i.level, i.slope_30d,
    i.risk_30d, i.risk_90d, i.days_left, i.value_at_risk, i.messages, i.last_message_at, i.reasons,
    coalesce(p.inputs, 0::UBIGINT) AS inputs, i.slope_7d, i.lower_30d, i.level_low, i.level_high, i.saveable,
    i.drivers
FROM incoming_mood AS i
LEFT JOIN present AS p USING (customer_id);
