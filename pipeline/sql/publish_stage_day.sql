-- How many customers stood on each step each day, over the $days days up to the newest as_of. The step is the median
-- of the six states. It holds from a point to the next; after the last point the mood is drawn straight to the mood at
-- as_of, so that a customer who falls silent leaves by and by. Nobody is counted before their first message or after
-- their as_of. Only changes are made and then added up: no row a customer and day. The last day holds the steps that
-- customer_mood names, which stay where a border is crossed by a hair.
CREATE TABLE snapshot.stage_day AS
WITH bounds AS (
    SELECT max(as_of)::DATE AS last_day, max(as_of)::DATE - ($days::INTEGER - 1) AS first_day FROM customer_mood
),
standing AS (
    SELECT
        p.customer_id, p.message_id, p.at::DATE AS day,
        CASE
            WHEN mood[1] >= 0.5 THEN 1
            WHEN mood[1] + mood[2] >= 0.5 THEN 2
            WHEN mood[1] + mood[2] + mood[3] >= 0.5 THEN 3
            WHEN mood[1] + mood[2] + mood[3] + mood[4] >= 0.5 THEN 4
            WHEN mood[1] + mood[2] + mood[3] + mood[4] + mood[5] >= 0.5 THEN 5
            ELSE 6
        END AS state,
        lead(p.at::DATE) OVER (PARTITION BY p.customer_id ORDER BY p.at, p.message_id) AS next_day
    FROM snapshot.mood_point AS p
),
-- After the last point: for each of the borders 0 to 5 between states, on which days the median lies beyond it. The
-- mass on this side of the border goes straight from before to after, so it crosses one half once or never.
silence AS (
    SELECT
        s.day, k.as_of::DATE AS as_of_day, border, k.as_of::DATE - s.day AS span,
        coalesce(list_sum(p.mood[1:border]), 0) AS before, coalesce(list_sum(k.mood[1:border]), 0) AS after
    FROM standing AS s
    INNER JOIN customer_mood AS k USING (customer_id)
    INNER JOIN snapshot.mood_point AS p ON p.customer_id = s.customer_id AND p.message_id = s.message_id
    CROSS JOIN (SELECT unnest([0, 1, 2, 3, 4, 5]) AS border)
    WHERE s.next_day IS NULL AND k.as_of >= (SELECT first_day FROM bounds)
),
crossing AS (
    SELECT
        *,
        CASE
            WHEN (before < 0.5) <> (after < 0.5)
            THEN day + ceil(span * (0.5 - before) / (after - before))::INTEGER
        END AS turn
    FROM silence
),
beyond AS (
    SELECT
        border,
        CASE WHEN before < 0.5 THEN day ELSE turn END AS from_day,
        CASE WHEN after < 0.5 THEN as_of_day + 1 ELSE turn END AS until_day
    FROM crossing
    WHERE before < 0.5 OR after < 0.5
),
-- Whoever is beyond border n and not beyond border n + 1 stands on state n + 1.
spell AS (
    SELECT state, day AS from_day, next_day AS until_day, 1 AS customers FROM standing WHERE next_day IS NOT NULL
    UNION ALL
    SELECT border + 1, from_day, until_day, 1 FROM beyond
    UNION ALL
    SELECT border, from_day, until_day, -1 FROM beyond WHERE border > 0
),
clipped AS (
    SELECT s.state, greatest(s.from_day, b.first_day) AS from_day, s.until_day, s.customers
    FROM spell AS s
    CROSS JOIN bounds AS b
    WHERE s.until_day > greatest(s.from_day, b.first_day)
),
change AS (
    SELECT state, day, sum(customers) AS customers
    FROM (
        SELECT state, from_day AS day, customers FROM clipped
        UNION ALL
        SELECT state, until_day, -customers FROM clipped
    )
    GROUP BY state, day
),
present AS (
    SELECT as_of::DATE AS day, stage, count(*) AS customers FROM customer_mood GROUP BY ALL
),
calendar AS (
    SELECT unnest(generate_series((SELECT min(day) FROM change), last_day, INTERVAL 1 DAY))::DATE AS day FROM bounds
)
SELECT
    d.day, list_extract($states::TEXT[], s.state) AS stage,
    CASE
        WHEN d.day = b.last_day THEN coalesce(p.customers, 0)
        ELSE sum(coalesce(c.customers, 0)) OVER (PARTITION BY s.state ORDER BY d.day)
    END::BIGINT AS customers
FROM calendar AS d
CROSS JOIN bounds AS b
CROSS JOIN (SELECT unnest([1, 2, 3, 4, 5, 6]) AS state) AS s
LEFT JOIN change AS c ON c.day = d.day AND c.state = s.state
LEFT JOIN present AS p ON p.day = d.day AND p.stage = list_extract($states::TEXT[], s.state)
ORDER BY d.day, s.state;
