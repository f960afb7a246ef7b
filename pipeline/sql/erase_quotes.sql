-- Alerts quote messages as "…" [message_id]; the quotes of erased messages go, too.
WITH touched AS (
    SELECT a.alert_id, string_agg(e.message_id, '|') AS erased
    FROM (SELECT alert_id, unnest(message_ids) AS message_id FROM alert) AS a
    INNER JOIN staged_erasure AS e USING (message_id)
    GROUP BY a.alert_id
)
UPDATE alert
SET explanation = regexp_replace(
    alert.explanation, '"[^"]*" \[(' || t.erased || ')\]', '(erased) [\1]', 'g'
)
FROM touched AS t
WHERE alert.alert_id = t.alert_id;
