-- $source: NULL is every source. $replayed: with those that came in after all.
SELECT quarantine_id, source, channel, origin, line, reason, record, quarantined_at, replayed_at
FROM quarantine
WHERE ($source::TEXT IS NULL OR source = $source) AND ($replayed OR replayed_at IS NULL)
ORDER BY source, origin, line, quarantine_id;
