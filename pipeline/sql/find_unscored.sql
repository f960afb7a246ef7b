-- Customers' messages that one version of the classifier has neither read nor declined to read.
-- $most: NULL is all of them.
SELECT m.message_id, m.text
FROM message AS m
WHERE
    m.role = 'customer' AND m.worded
    AND NOT EXISTS (SELECT 1 FROM reading AS r WHERE r.message_id = m.message_id AND r.version = $version)
    AND NOT EXISTS (SELECT 1 FROM abstention AS a WHERE a.message_id = m.message_id AND a.version = $version)
ORDER BY m.message_id
LIMIT $most;
