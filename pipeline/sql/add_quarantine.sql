INSERT INTO quarantine (quarantine_id, source, channel, origin, line, reason, record, quarantined_at)
SELECT quarantine_id, source, channel, origin, line, reason, record, $now FROM incoming_quarantine
ON CONFLICT DO NOTHING;
