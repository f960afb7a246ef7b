DELETE FROM abstention WHERE message_id IN (SELECT message_id FROM staged_erasure);
