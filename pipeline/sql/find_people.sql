-- What suggestions compare: everybody who goes by anything but an id, with all they go by.
SELECT
    customer_id, list(value ORDER BY value) FILTER (kind = 'name') AS names,
    list(value ORDER BY value) FILTER (kind = 'email') AS emails,
    list(value ORDER BY value) FILTER (kind = 'phone') AS phones,
    list(value ORDER BY value) FILTER (kind = 'handle') AS handles
FROM known_alias
WHERE kind IN ('name', 'email', 'phone', 'handle')
GROUP BY customer_id
ORDER BY customer_id;
