DELETE FROM moved_thread
WHERE (concat(source, chr(9), thread_id), from_profile) NOT IN (SELECT (moved, from_profile) FROM incoming_move);
