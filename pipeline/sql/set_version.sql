UPDATE revision SET version = $version WHERE version IS DISTINCT FROM $version;
