UPDATE run SET finished_at = $now, counts = $counts WHERE run_id = $run_id;
