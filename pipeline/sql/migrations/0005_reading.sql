-- Append-only, one row a message and model version. Vectors are in the order of models/labels.py.
CREATE TABLE reading (
    message_id TEXT NOT NULL,
    version TEXT NOT NULL,
    mood FLOAT[] NOT NULL,
    sentiment FLOAT[] NOT NULL,
    intents FLOAT[] NOT NULL,
    disservices FLOAT[] NOT NULL,
    mood_label TEXT NOT NULL,
    sentiment_label TEXT NOT NULL,
    intent_labels TEXT[] NOT NULL,
    disservice_labels TEXT[] NOT NULL,
    PRIMARY KEY (message_id, version)
);
