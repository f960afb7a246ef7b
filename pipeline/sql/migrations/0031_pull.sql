-- One row a pull of a live source. finished_at is null while it works, or where it died. state: working, complete,
-- partial (its budget was spent; the next one goes on), failed. shape: which fields the records had, as JSON, so that
-- a change at the source is noticed. error and notes are masked.
CREATE TABLE pull (
    pull_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    state TEXT NOT NULL,
    error TEXT,
    requests BIGINT NOT NULL DEFAULT 0,
    read BIGINT NOT NULL DEFAULT 0,
    landed BIGINT NOT NULL DEFAULT 0,
    edited BIGINT NOT NULL DEFAULT 0,
    erased BIGINT NOT NULL DEFAULT 0,
    quarantined BIGINT NOT NULL DEFAULT 0,
    newest TIMESTAMP,
    shape TEXT NOT NULL DEFAULT '{}',
    notes TEXT[] NOT NULL DEFAULT []
);
