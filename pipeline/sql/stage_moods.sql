-- The incoming states with the digest of what they were computed from; the same digest as in customers_to_track.sql.
CREATE OR REPLACE TEMP TABLE staged_mood AS
WITH present AS (
    SELECT customer_id, hash(sum(hash(message_id, revision)), max(heard_until), any_value(value)) AS inputs
    FROM tracked_message
    WHERE customer_id IN (SELECT customer_id FROM incoming_mood)
    GROUP BY customer_id
)
SELECT
    i.customer_id, i.version, $parameters::TEXT AS parameters, i.as_of, i.mood, i.stage, i.level, i.slope_30d,
    i.risk_30d, i.risk_90d, i.days_left, i.value_at_risk, i.messages, i.last_message_at, i.reasons,
    coalesce(p.inputs, 0::UBIGINT) AS inputs
FROM incoming_mood AS i
LEFT JOIN present AS p USING (customer_id);
