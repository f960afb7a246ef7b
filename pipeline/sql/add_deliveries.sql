-- Into the outbox, in the transaction that opens the alert; an alert that was not opened is owed to nobody.
INSERT INTO delivery (alert_id, target, state, attempts, changed_at)
SELECT alert_id, target, 'due', 0, $now
FROM incoming_delivery
WHERE alert_id IN (SELECT alert_id FROM alert)
ON CONFLICT DO NOTHING;
