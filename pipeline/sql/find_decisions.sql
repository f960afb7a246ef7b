-- All decisions about who is who, in their order, each with its effects.
SELECT
    d.decision_id, d.decided_at, d.decided_by, d.verb, d.undoes,
    list((e.kind, e.first, e.second, e.basis, e.weight, e.moved) ORDER BY e.rowid) FILTER (e.kind IS NOT NULL) AS effects
FROM identity_decision AS d
LEFT JOIN identity_effect AS e USING (decision_id)
GROUP BY d.decision_id, d.decided_at, d.decided_by, d.verb, d.undoes, d.number
ORDER BY d.number;
