-- The segments that customers belong to, the largest first.
SELECT segment
FROM customer_mood
WHERE segment IS NOT NULL
GROUP BY segment
ORDER BY count(*) DESC, segment
LIMIT 50
