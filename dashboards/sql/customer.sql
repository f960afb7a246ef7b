-- One customer: who they are and where they stand; the mood columns are NULL while no message of theirs is scored.
SELECT
    c.customer_id, c.name, c.segment, c.plan, c.value,
    m.as_of, m.mood, m.stage, m.level, m.slope_30d, m.risk_30d, m.risk_90d, m.days_left, m.value_at_risk,
    m.messages, m.last_message_at, m.reasons, m.version
FROM customer AS c
LEFT JOIN customer_mood AS m USING (customer_id)
WHERE c.customer_id = $customer
LIMIT 1
