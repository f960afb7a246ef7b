-- An edited message is read again.
DELETE FROM reading WHERE message_id IN (SELECT message_id FROM staged_edit);
