-- Recomputable. One row a customer message: the mood right after it and the level predicted just before it.
CREATE TABLE mood_point (
    customer_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    "at" TIMESTAMP NOT NULL,
    mood DOUBLE[] NOT NULL,
    level DOUBLE NOT NULL,
    level_before DOUBLE NOT NULL
);
