-- How many alerts are open and how many have cleared.
SELECT count(*) FILTER (cleared_at IS NULL) AS open, count(*) FILTER (cleared_at IS NOT NULL) AS cleared FROM alert
