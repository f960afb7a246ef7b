-- A field that the company's records leave out keeps what was known; a row that brings nothing new is not touched.
INSERT INTO customer (customer_id, segment, plan, value)
SELECT
    i.customer_id, coalesce(i.segment, c.segment), coalesce(i.plan, c.plan), coalesce(i.value, c.value)
FROM incoming_customer AS i
LEFT JOIN customer AS c USING (customer_id)
WHERE
    c.customer_id IS NULL
    OR coalesce(i.segment, c.segment) IS DISTINCT FROM c.segment
    OR coalesce(i.plan, c.plan) IS DISTINCT FROM c.plan
    OR coalesce(i.value, c.value) IS DISTINCT FROM c.value
ON CONFLICT (customer_id) DO UPDATE
SET segment = excluded.segment, plan = excluded.plan, value = excluded.value;
