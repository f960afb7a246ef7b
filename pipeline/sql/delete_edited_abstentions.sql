-- An edited message that was not read is tried again.
DELETE FROM abstention WHERE message_id IN (SELECT message_id FROM staged_edit);
