-- What the ledger books, by week (from Monday) and item: how many messages name it and what it did, in levels.
CREATE TABLE snapshot.disservice_week AS
SELECT
    date_trunc('week', "at")::DATE AS week, item, count(DISTINCT message_id) AS messages, sum(effect) AS effect
FROM ledger_entry
GROUP BY date_trunc('week', "at")::DATE, item
ORDER BY week, item;
