CREATE TABLE snapshot.source_count AS
WITH heard AS (
    SELECT
        source, count(*) AS messages, count(*) FILTER (role = 'customer') AS customer_messages,
        count(version) AS scored
    FROM snapshot.message
    GROUP BY source
),
refused AS (
    SELECT source, count(*) AS quarantined FROM quarantine WHERE replayed_at IS NULL GROUP BY source
)
SELECT
    s.name AS source, s.channel, coalesce(h.messages, 0) AS messages,
    coalesce(h.customer_messages, 0) AS customer_messages, coalesce(h.scored, 0) AS scored,
    coalesce(q.quarantined, 0) AS quarantined, s.heard_until
FROM source AS s
LEFT JOIN heard AS h ON h.source = s.name
LEFT JOIN refused AS q ON q.source = s.name
ORDER BY s.name;
