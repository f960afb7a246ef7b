-- $source: NULL is every source.
SELECT
    message_id AS id, source, channel, customer_id AS customer, role, author, thread_id AS thread, sent_at AS "at",
    text, rating, product, department, reach, revision, erased IS NOT NULL AS erased
FROM attributed_message
WHERE $source::TEXT IS NULL OR source = $source
ORDER BY source, sent_at, message_id;
