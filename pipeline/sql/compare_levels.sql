-- Whether the staged levels differ from what is stored of the same customers: where they do, nothing else is looked at.
SELECT
    (SELECT (count(*), sum(hash(customer_id, as_of, level))) FROM staged_mood)
    IS DISTINCT FROM
    (
        SELECT (count(*), sum(hash(customer_id, as_of, level))) FROM customer_mood
        WHERE customer_id IN (SELECT customer_id FROM staged_mood)
    );
