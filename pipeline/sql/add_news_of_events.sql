-- What happened is news of those who have a mood; of the others their first message will be.
INSERT INTO news
SELECT DISTINCT customer_id FROM (
    SELECT coalesce(l.customer_id, h.customer_id) AS customer_id
    FROM changed AS h
    LEFT JOIN customer_link AS l ON l.profile = h.customer_id
)
WHERE customer_id IN (SELECT customer_id FROM customer_mood);
