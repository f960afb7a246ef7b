-- Of each source: messages, open quarantine, the newest message, those of the last 24 hours and the usual day's.
WITH heard AS (
    SELECT
        source, count(*) FILTER (erased IS NULL) AS messages, max(sent_at) AS newest,
        count(*) FILTER (sent_at > $now::TIMESTAMP - INTERVAL 1 DAY) AS last_day,
        count(*) FILTER (
            sent_at BETWEEN $now::TIMESTAMP - INTERVAL 29 DAY AND $now::TIMESTAMP - INTERVAL 1 DAY
        ) / 28.0 AS usual_day
    FROM message
    GROUP BY source
),
refused AS (
    SELECT source, count(*) AS quarantined FROM quarantine WHERE replayed_at IS NULL GROUP BY source
)
SELECT
    coalesce(h.source, q.source) AS source, coalesce(h.messages, 0), coalesce(q.quarantined, 0), h.newest,
    coalesce(h.last_day, 0), coalesce(h.usual_day, 0.0)
FROM heard AS h
FULL JOIN refused AS q ON q.source = h.source;
