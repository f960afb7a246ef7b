"""From a source's rows to an alert: sources, redact, score, track, alert, notify, publish."""
