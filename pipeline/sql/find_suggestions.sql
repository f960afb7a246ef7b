-- What nobody has judged yet, the surest first: both are customers still, and not one.
SELECT s.first, s.second, s.weight, s.probability, s.agreeing
FROM identity_suggestion AS s
WHERE
    s.first NOT IN (SELECT profile FROM customer_link) AND s.second NOT IN (SELECT profile FROM customer_link)
    AND (s.first, s.second) NOT IN (SELECT (first, second) FROM incoming_apart)
ORDER BY s.weight DESC, s.first, s.second;
