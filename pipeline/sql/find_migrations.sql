SELECT number, name FROM schema_migration ORDER BY number;
