-- Of a snapshot: what the ledger books in all, by item, product, team (department), agent, channel or week ($by), since
-- $since (NULL: ever). Squares are of the customers' own sums, for intervals over customers. A customer's value at risk
-- falls on what cost them, by what still stands of it. The agent is whoever had last answered in the thread when the
-- message was written; a thread is named within its source, as two desks may number theirs alike.
WITH answer AS (
    SELECT source, thread_id, sent_at, arg_max(author, message_id) AS agent
    FROM message
    WHERE role = 'agent' AND thread_id IS NOT NULL AND author IS NOT NULL
    GROUP BY source, thread_id, sent_at
),
written AS (
    SELECT m.message_id, m.product, m.department, m.channel, a.agent
    FROM message AS m
    ASOF LEFT JOIN answer AS a ON a.source = m.source AND a.thread_id = m.thread_id AND a.sent_at <= m.sent_at
    WHERE m.role = 'customer'
),
entry AS (
    SELECT
        e.customer_id, e.message_id, e."at", e.effect, e.standing,
        CASE $by
            WHEN 'item' THEN e.item WHEN 'product' THEN w.product WHEN 'team' THEN w.department
            WHEN 'agent' THEN w.agent WHEN 'channel' THEN w.channel ELSE strftime(date_trunc('week', e."at"), '%Y-%m-%d')
        END AS name,
        k.value_at_risk * least(e.standing, 0)
        / nullif(sum(least(e.standing, 0)) OVER (PARTITION BY e.customer_id), 0) AS at_risk
    FROM ledger_entry AS e
    INNER JOIN written AS w USING (message_id)
    INNER JOIN customer_mood AS k ON k.customer_id = e.customer_id
),
own AS (
    SELECT
        name, customer_id, count(DISTINCT message_id) AS messages, sum(effect) AS effect, sum(standing) AS standing,
        coalesce(sum(at_risk), 0) AS at_risk
    FROM entry
    WHERE name IS NOT NULL AND ($since::TIMESTAMP IS NULL OR "at" >= $since)
    GROUP BY name, customer_id
)
SELECT
    name, sum(messages)::BIGINT AS messages, count(*) AS customers, sum(effect) AS effect,
    sum(effect * effect) AS effect_squares, sum(standing) AS standing, sum(at_risk) AS at_risk,
    sum(at_risk * at_risk) AS at_risk_squares, (SELECT count(*) FROM customer_mood) AS everybody
FROM own
GROUP BY name
ORDER BY name;
