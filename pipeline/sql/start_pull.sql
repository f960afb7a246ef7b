INSERT INTO pull (pull_id, source, started_at, state) VALUES ($pull_id, $source, $now, 'working');
