INSERT INTO moved_message (message_id, profile)
SELECT moved, profile FROM incoming_move WHERE NOT contains(moved, chr(9))
ON CONFLICT (message_id) DO UPDATE SET profile = excluded.profile WHERE moved_message.profile <> excluded.profile;
