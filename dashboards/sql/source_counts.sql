-- What came in, by source.
SELECT source, channel, messages, customer_messages, scored, quarantined, heard_until
FROM source_count
ORDER BY messages DESC, source
LIMIT 200
