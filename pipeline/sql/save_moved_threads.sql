INSERT INTO moved_thread (source, thread_id, from_profile, profile)
SELECT split_part(moved, chr(9), 1), substr(moved, instr(moved, chr(9)) + 1), from_profile, profile
FROM incoming_move
WHERE contains(moved, chr(9))
ON CONFLICT DO UPDATE SET profile = excluded.profile WHERE moved_thread.profile <> excluded.profile;
