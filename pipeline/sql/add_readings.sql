INSERT INTO reading (
    message_id, version, mood, sentiment, intents, disservices, mood_label, sentiment_label, intent_labels,
    disservice_labels
)
SELECT
    message_id, version, mood, sentiment, intents, disservices, mood_label, sentiment_label, intent_labels,
    disservice_labels
FROM incoming_reading
ON CONFLICT DO NOTHING;
