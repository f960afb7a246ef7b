-- Unlabelled messages whose mood one version is least sure of (entropy of its five probabilities), the least sure first.
SELECT m.message_id, m.text, r.mood
FROM reading AS r
INNER JOIN message AS m USING (message_id)
WHERE r.version = $version AND m.message_id NOT IN (SELECT message_id FROM label)
ORDER BY list_sum(list_transform(r.mood, lambda p: CASE WHEN p > 0 THEN p * ln(p) ELSE 0 END)), m.message_id
LIMIT $most;
