-- Everything said in the name of some profiles, agents' answers to them too.
CREATE OR REPLACE TEMP TABLE staged_erasure AS
SELECT m.message_id, m.edited_at
FROM message AS m
LEFT JOIN moved_message AS d ON d.message_id = m.message_id
LEFT JOIN moved_thread AS t ON t.source = m.source AND t.thread_id = m.thread_id AND t.from_profile = m.customer_id
WHERE
    coalesce(d.profile, t.profile, m.customer_id) IN (SELECT customer_id FROM incoming_chosen)
    AND m.erased IS DISTINCT FROM 'forgotten';
