-- What is another profile's than the one it landed under: a message's id, or source and thread joined by a tab.
SELECT message_id, profile FROM moved_message
UNION ALL
SELECT concat(source, chr(9), thread_id), profile FROM moved_thread;
