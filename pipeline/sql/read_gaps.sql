-- Of a snapshot: for every two teams (departments), channels or sources ($by) that some customers met both, the mean
-- difference of the same customer's mood between them. Mood is as read in the messages themselves: what the mood model
-- makes of them carries the one side over to the other.
WITH side AS (
    SELECT
        customer_id,
        CASE $by WHEN 'team' THEN department WHEN 'channel' THEN channel ELSE source END AS name,
        avg(5 * mood[1] + 4 * mood[2] + 3 * mood[3] + 2 * mood[4] + mood[5]) AS level
    FROM message
    WHERE role = 'customer' AND customer_id IS NOT NULL AND mood IS NOT NULL
    GROUP BY ALL
)
SELECT
    a.name AS one, b.name AS other, count(*) AS customers, avg(a.level) AS level_one, avg(b.level) AS level_other,
    avg(a.level - b.level) AS gap, var_samp(a.level - b.level) AS variance
FROM side AS a
INNER JOIN side AS b ON b.customer_id = a.customer_id AND a.name < b.name
GROUP BY a.name, b.name
ORDER BY a.name, b.name;
