UPDATE source
SET counted_until = date_trunc('day', heard_until)
WHERE counted_until IS DISTINCT FROM date_trunc('day', heard_until);
