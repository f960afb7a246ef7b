-- Whether the staged states differ from what is stored of the same customers.
SELECT
    (SELECT (count(*), sum(hash(s))) FROM staged_mood AS s)
    IS DISTINCT FROM
    (
        SELECT (count(*), sum(hash(k))) FROM customer_mood AS k
        WHERE k.customer_id IN (SELECT customer_id FROM staged_mood)
    );
