DELETE FROM identity_suggestion
WHERE (first, second) NOT IN (SELECT (first, second) FROM incoming_suggestion);
