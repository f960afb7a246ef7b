-- Another worth than is stored is news of those who have a mood.
INSERT INTO news
SELECT DISTINCT customer_id FROM (
    SELECT coalesce(l.customer_id, i.customer_id) AS customer_id
    FROM incoming_customer AS i
    LEFT JOIN customer AS c ON c.customer_id = i.customer_id
    LEFT JOIN customer_link AS l ON l.profile = i.customer_id
    WHERE i.value IS NOT NULL AND i.value IS DISTINCT FROM c.value
)
WHERE customer_id IN (SELECT customer_id FROM customer_mood);
