-- Messages that were deleted at their source, one by one or with their thread.
CREATE OR REPLACE TEMP TABLE staged_erasure AS
WITH named AS (
    SELECT m.message_id, g.edited_at
    FROM message AS m
    INNER JOIN incoming_gone AS g ON g.message_id = m.message_id
    WHERE m.source = $source AND m.erased IS NULL
    UNION ALL
    SELECT m.message_id, g.edited_at
    FROM message AS m
    INNER JOIN incoming_gone AS g ON g.thread_id = m.thread_id
    WHERE m.source = $source AND m.erased IS NULL
)
SELECT message_id, max(edited_at) AS edited_at FROM named GROUP BY message_id;
