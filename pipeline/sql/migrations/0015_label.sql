-- Append-only judgements of people on stored messages, for retraining; the newest for a message counts.
CREATE TABLE label (
    message_id TEXT NOT NULL,
    labelled_at TIMESTAMP NOT NULL,
    labeller TEXT NOT NULL,
    mood TEXT NOT NULL,
    intents TEXT[] NOT NULL,
    disservices TEXT[] NOT NULL
);
