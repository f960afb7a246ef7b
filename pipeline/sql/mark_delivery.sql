UPDATE delivery
SET
    state = $state, detail = $detail, changed_at = $now,
    attempts = attempts + CASE WHEN $state = 'sending' THEN 1 ELSE 0 END
WHERE alert_id = $alert_id AND target = $target;
