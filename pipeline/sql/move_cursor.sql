INSERT INTO cursor (source, position, moved_at) VALUES ($source, $position, $now)
ON CONFLICT (source) DO UPDATE SET position = excluded.position, moved_at = excluded.moved_at
WHERE cursor.position <> excluded.position;
