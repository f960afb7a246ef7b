-- How many customers stood on each step, by day, over the newest $days days of the snapshot.
SELECT day, stage, customers
FROM stage_day
WHERE day > (SELECT max(day) FROM stage_day) - $days::INTEGER
ORDER BY day, stage
LIMIT 3000
