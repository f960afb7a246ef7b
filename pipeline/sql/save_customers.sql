-- A field that the company's records leave out keeps what was known; a row that brings nothing new is not touched.
INSERT INTO customer (customer_id, segment, plan, value, owner, recorded)
SELECT
    i.customer_id, coalesce(i.segment, c.segment), coalesce(i.plan, c.plan), coalesce(i.value, c.value),
    coalesce(i.owner, c.owner), true
FROM incoming_customer AS i
LEFT JOIN customer AS c USING (customer_id)
WHERE
    c.customer_id IS NULL OR NOT c.recorded
    OR coalesce(i.segment, c.segment) IS DISTINCT FROM c.segment
    OR coalesce(i.plan, c.plan) IS DISTINCT FROM c.plan
    OR coalesce(i.value, c.value) IS DISTINCT FROM c.value
    OR coalesce(i.owner, c.owner) IS DISTINCT FROM c.owner
ON CONFLICT (customer_id) DO UPDATE
SET segment = excluded.segment, plan = excluded.plan, value = excluded.value, owner = excluded.owner, recorded = true;
