-- How the records of a source's last ten pulls that brought any looked.
SELECT shape FROM pull
WHERE source = $source AND finished_at IS NOT NULL AND read > 0
ORDER BY started_at DESC
LIMIT 10;
