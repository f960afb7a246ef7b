SELECT source, max(finished_at) FROM pull WHERE state = 'complete' GROUP BY source;
