INSERT INTO abstention (message_id, version, reason)
SELECT message_id, version, reason FROM incoming_abstention
ON CONFLICT DO NOTHING;
