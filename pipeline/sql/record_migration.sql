INSERT INTO schema_migration (number, name, applied_at) VALUES ($number, $name, $now);
