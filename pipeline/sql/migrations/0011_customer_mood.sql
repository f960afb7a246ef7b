-- Recomputable. Where each customer stands as of the time until which their sources were heard.
-- inputs: digest of what it was computed from (see find_news.sql), so that only news is tracked again.
CREATE TABLE customer_mood (
    customer_id TEXT NOT NULL,
    version TEXT NOT NULL,
    parameters TEXT NOT NULL,
    as_of TIMESTAMP NOT NULL,
    mood DOUBLE[] NOT NULL,
    stage TEXT NOT NULL,
    level DOUBLE NOT NULL,
    slope_30d DOUBLE NOT NULL,
    risk_30d DOUBLE NOT NULL,
    risk_90d DOUBLE NOT NULL,
    days_left DOUBLE,
    value_at_risk DOUBLE NOT NULL,
    messages BIGINT NOT NULL,
    last_message_at TIMESTAMP NOT NULL,
    reasons TEXT[] NOT NULL,
    inputs UBIGINT NOT NULL
);
