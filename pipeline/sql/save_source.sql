INSERT INTO source (name, kind, channel, options, added_at, heard_until)
VALUES ($source, $kind, $channel, $options, $now, $heard_until)
ON CONFLICT (name) DO UPDATE
SET kind = excluded.kind, channel = excluded.channel, options = excluded.options, heard_until = excluded.heard_until;
