-- Of a snapshot: how many messages each version read as each mood.
SELECT version, mood_label, count(*) FROM message WHERE version IS NOT NULL GROUP BY version, mood_label;
