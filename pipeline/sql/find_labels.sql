-- The newest label of each message, with its text.
SELECT l.message_id, l.labelled_at, l.labeller, l.mood, l.intents, l.disservices, m.text
FROM label AS l
INNER JOIN message AS m USING (message_id)
QUALIFY row_number() OVER (PARTITION BY l.message_id ORDER BY l.labelled_at DESC, l.rowid DESC) = 1
ORDER BY l.message_id;
