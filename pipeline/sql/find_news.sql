-- Whoever is to be tracked again: there is news of them, or their mood is of another version or other parameters.
SELECT coalesce(l.customer_id, n.customer_id) AS customer_id
FROM news AS n
LEFT JOIN customer_link AS l ON l.profile = n.customer_id
UNION
SELECT customer_id FROM customer_mood WHERE version <> $version OR parameters <> $parameters
ORDER BY customer_id;
