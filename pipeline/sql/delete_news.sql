-- The staged moods follow from all that lies here.
DELETE FROM news
WHERE
    customer_id IN (SELECT customer_id FROM staged_mood)
    OR customer_id IN (SELECT profile FROM customer_link WHERE customer_id IN (SELECT customer_id FROM staged_mood));
