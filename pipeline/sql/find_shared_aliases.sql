-- Every alias, of the kinds that exact matching looks at, by which several profiles go.
SELECT kind, value, customer_id
FROM customer_alias
WHERE kind IN (SELECT kind FROM incoming_kind)
QUALIFY count(*) OVER (PARTITION BY kind, value) > 1
ORDER BY kind, value, customer_id;
