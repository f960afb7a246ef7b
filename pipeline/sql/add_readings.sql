INSERT INTO reading (
    message_id, version, mood, sentiment, intents, disservices, mood_label, sentiment_label, intent_labels,
    disservice_labels, leaving, disservice_chances
)
SELECT
    message_id, version, mood, sentiment, intents, disservices, mood_label, sentiment_label, intent_labels,
    disservice_labels, leaving, disservice_chances
FROM incoming_reading
ON CONFLICT DO NOTHING;
