-- Whether the incoming points and ledger differ from what is stored of the staged customers.
WITH chosen AS (SELECT customer_id FROM staged_mood)
SELECT
    (SELECT (count(*), sum(hash(i))) FROM incoming_point AS i)
    IS DISTINCT FROM
    (SELECT (count(*), sum(hash(p))) FROM mood_point AS p WHERE p.customer_id IN (FROM chosen))
    OR (SELECT (count(*), sum(hash(i))) FROM incoming_ledger AS i)
    IS DISTINCT FROM
    (SELECT (count(*), sum(hash(e))) FROM ledger_entry AS e WHERE e.customer_id IN (FROM chosen));
