-- Messages that a live source now shows otherwise than they are stored. An older copy changes nothing, nor does
-- anything change what was forgotten here; what the source had deleted comes back if it shows it again.
CREATE OR REPLACE TEMP TABLE staged_edit AS
SELECT i.message_id, i.text, i.sent_at, i.author, i.rating, i.reach, i.edited_at
FROM incoming_message AS i
INNER JOIN message AS m USING (message_id)
WHERE
    (i.text <> m.text OR i.rating IS DISTINCT FROM m.rating OR m.erased = 'gone')
    AND m.erased IS DISTINCT FROM 'forgotten'
    AND (m.edited_at IS NULL OR i.edited_at IS NULL OR i.edited_at >= m.edited_at);
