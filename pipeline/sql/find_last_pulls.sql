SELECT source, started_at, finished_at, state, error, landed, notes FROM pull
QUALIFY row_number() OVER (PARTITION BY source ORDER BY started_at DESC, pull_id) = 1;
