-- What cost mood, by item and week, over the newest $weeks weeks; items that gave mood on the whole are left out.
WITH recent AS (
    SELECT week, item, messages, effect
    FROM disservice_week
    WHERE week > (SELECT max(week) FROM disservice_week) - ($weeks::INTEGER * 7)
)
SELECT week, item, messages, effect, sum(effect) OVER (PARTITION BY item) AS total
FROM recent
QUALIFY total < 0
ORDER BY total, item, week
LIMIT 2000
