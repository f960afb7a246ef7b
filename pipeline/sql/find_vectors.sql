-- How one version reads the chosen messages, whole.
SELECT r.message_id, r.intents, r.disservices
FROM reading AS r
WHERE r.version = $version AND r.message_id IN (SELECT message_id FROM incoming_message);
