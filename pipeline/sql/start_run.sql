INSERT INTO run (run_id, started_at) VALUES ($run_id, $now);
