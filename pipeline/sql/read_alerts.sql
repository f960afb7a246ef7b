-- Of a snapshot: open alerts, and those that have cleared if asked.
SELECT * FROM alert
WHERE $every OR cleared_at IS NULL
ORDER BY cleared_at IS NOT NULL, rank DESC, alert_id;
