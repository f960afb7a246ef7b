UPDATE quarantine SET replayed_at = $now
WHERE replayed_at IS NULL AND quarantine_id IN (SELECT quarantine_id FROM incoming_replayed);
