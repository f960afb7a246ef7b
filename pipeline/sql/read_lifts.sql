-- Of a snapshot: the lift of contacts by agent, team (department), channel or source ($by). A contact is a thread, or
-- else a burst of one customer on one source, no two turns $gap days apart, in which somebody answered. Its lift is the
-- customer's level at its end less the level at the end of their contact before; "during" is the level at its end less
-- what was predicted just before its first word. A contact belongs to whoever answered last.
WITH turn AS (
    SELECT
        m.customer_id, m.message_id, m.source, m.channel, m.role, m.author, m.department, m.thread_id, m.sent_at,
        p.level, p.level_before,
        m.thread_id IS NULL
        AND coalesce(m.sent_at - lag(m.sent_at) OVER own >= to_microseconds(($gap * 86400000000)::BIGINT), TRUE) AS opens
    FROM message AS m
    LEFT JOIN mood_point AS p USING (customer_id, message_id)
    WHERE m.customer_id IS NOT NULL
    WINDOW own AS (PARTITION BY m.customer_id, m.source, m.thread_id ORDER BY m.sent_at, m.message_id)
),
numbered AS (
    SELECT
        *,
        sum(opens::INTEGER) OVER (
            PARTITION BY customer_id, source, thread_id ORDER BY sent_at, message_id
        ) AS burst
    FROM turn
),
contact AS (
    SELECT
        customer_id, source, channel, thread_id, burst, max(sent_at) AS ended,
        arg_max(author, (sent_at, message_id)) FILTER (WHERE role = 'agent') AS agent,
        arg_max(department, (sent_at, message_id)) FILTER (WHERE department IS NOT NULL) AS team,
        arg_max(level, (sent_at, message_id)) FILTER (WHERE level IS NOT NULL) AS level,
        arg_min(level_before, (sent_at, message_id)) FILTER (WHERE level IS NOT NULL) AS level_before
    FROM numbered
    GROUP BY customer_id, source, channel, thread_id, burst
    HAVING count(level) > 0 AND (thread_id IS NOT NULL OR bool_or(role <> 'customer'))
),
lifted AS (
    SELECT
        *,
        level - lag(level) OVER (
            PARTITION BY customer_id ORDER BY ended, source, thread_id NULLS FIRST, burst
        ) AS lift,
        CASE $by WHEN 'agent' THEN agent WHEN 'team' THEN team WHEN 'channel' THEN channel ELSE source END AS name
    FROM contact
)
SELECT
    name, count(*) AS contacts, count(DISTINCT customer_id) AS customers, count(lift) AS compared,
    avg(lift) AS lift, var_samp(lift) AS variance, avg(level - level_before) AS during
FROM lifted
WHERE name IS NOT NULL
GROUP BY name
ORDER BY name;
