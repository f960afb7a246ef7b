-- One row: how many are followed, slide, are expected to leave; what is at risk; alerts open now and 30 days before.
WITH now AS (SELECT max(as_of) AS as_of FROM customer_mood)
SELECT
    (SELECT as_of FROM now) AS as_of,
    count(*) AS customers,
    count(*) FILTER (stage <> 'gone') AS followed,
    count(*) FILTER (stage <> 'gone' AND slope_30d <= $slide::DOUBLE) AS sliding,
    coalesce(sum(risk_30d) FILTER (stage <> 'gone'), 0) AS leavers_30d,
    coalesce(sum(value_at_risk), 0) AS value_at_risk,
    (SELECT count(*) FROM alert WHERE cleared_at IS NULL) AS open_alerts,
    (
        SELECT count(*)
        FROM alert, now
        WHERE opened_at <= as_of - INTERVAL 30 DAY AND (cleared_at IS NULL OR cleared_at > as_of - INTERVAL 30 DAY)
    ) AS open_alerts_before
FROM customer_mood
