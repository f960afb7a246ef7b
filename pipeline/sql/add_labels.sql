-- What a labeller said last of a message, or said at the same time, is not written twice.
INSERT INTO label (message_id, labelled_at, labeller, mood, intents, disservices)
SELECT i.message_id, i.labelled_at, i.labeller, i.mood, i.intents, i.disservices
FROM incoming_label AS i
WHERE
    NOT EXISTS (
        SELECT 1
        FROM (
            SELECT *, max(labelled_at) OVER (PARTITION BY message_id, labeller) AS last_at
            FROM label
            WHERE message_id IN (SELECT message_id FROM incoming_label)
        ) AS l
        WHERE
            l.message_id = i.message_id AND l.labeller = i.labeller AND l.mood = i.mood AND l.intents = i.intents
            AND l.disservices = i.disservices AND (l.labelled_at = i.labelled_at OR l.labelled_at = l.last_at)
    );
