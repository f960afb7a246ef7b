-- How many rows find_unscored gives without a limit.
SELECT count(*)
FROM message AS m
WHERE
    m.role = 'customer' AND m.worded
    AND NOT EXISTS (SELECT 1 FROM reading AS r WHERE r.message_id = m.message_id AND r.version = $version)
    AND NOT EXISTS (SELECT 1 FROM abstention AS a WHERE a.message_id = m.message_id AND a.version = $version);
