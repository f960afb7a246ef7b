INSERT INTO identity_suggestion (first, second, weight, probability, agreeing)
SELECT first, second, weight, probability, agreeing FROM incoming_suggestion
ON CONFLICT DO UPDATE
SET weight = excluded.weight, probability = excluded.probability, agreeing = excluded.agreeing
WHERE identity_suggestion.weight <> excluded.weight;
