UPDATE alert SET cleared_at = i.cleared_at
FROM incoming_cleared AS i
WHERE alert.alert_id = i.alert_id AND alert.cleared_at IS NULL AND i.cleared_at IS NOT NULL;
