-- Who is most worth a call, first the most value that can still be kept. total: how many match without the limit.
WITH alerted AS (SELECT DISTINCT customer_id FROM alert WHERE cleared_at IS NULL)
SELECT
    customer_id, name, segment, value, as_of, mood, stage, level, slope_30d, risk_30d, risk_90d, days_left,
    value_at_risk, messages, last_message_at, reasons, count(*) OVER () AS total
FROM customer_mood
WHERE
    CASE $show
        WHEN 'sliding' THEN stage <> 'gone' AND (slope_30d <= $slide::DOUBLE OR customer_id IN (FROM alerted))
        WHEN 'alerted' THEN customer_id IN (FROM alerted)
        ELSE TRUE
    END
    AND (len($stages::TEXT[]) = 0 OR stage IN (SELECT unnest($stages::TEXT[])))
    AND ($segment::TEXT IS NULL OR segment = $segment::TEXT)
ORDER BY value_at_risk DESC, risk_90d DESC, customer_id
LIMIT $limit OFFSET $offset
