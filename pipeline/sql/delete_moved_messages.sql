DELETE FROM moved_message WHERE message_id NOT IN (SELECT moved FROM incoming_move);
