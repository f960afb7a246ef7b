INSERT INTO identity_decision (decision_id, number, decided_at, decided_by, verb, undoes)
SELECT
    decision_id, place + (SELECT coalesce(max(number), 0) FROM identity_decision), decided_at, decided_by, verb, undoes
FROM incoming_decision;
