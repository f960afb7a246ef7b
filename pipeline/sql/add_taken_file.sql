INSERT INTO taken_file (source, digest, name, taken_at) VALUES ($source, $digest, $name, $now)
ON CONFLICT DO NOTHING;
