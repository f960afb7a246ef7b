CREATE TABLE snapshot.about AS
SELECT 'revision' AS key, number::TEXT AS value FROM revision
UNION ALL
SELECT 'version', version FROM revision
UNION ALL
SELECT 'published_at', strftime($now::TIMESTAMP, '%Y-%m-%dT%H:%M:%SZ')
UNION ALL
SELECT 'newest_message', strftime(max(sent_at), '%Y-%m-%dT%H:%M:%SZ') FROM snapshot.message;
