-- Whoever was sending is dead, since only one writes: the alert may have arrived, so it is not sent again.
UPDATE delivery SET state = 'unconfirmed', changed_at = $now, detail = 'the run ended while it was being sent'
WHERE state = 'sending';
