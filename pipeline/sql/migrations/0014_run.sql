CREATE TABLE run (
    run_id TEXT PRIMARY KEY,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    counts TEXT NOT NULL DEFAULT '{}'
);
