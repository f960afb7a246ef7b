-- Edits and deletions at a source are followed. revision: how often a message's text was replaced. edited_at: when the
-- source says it last changed (UTC), so that an older copy never replaces a newer one. erased: its text is gone and its
-- readings with it; 'gone' was deleted at the source (and comes back if the source shows it again), 'forgotten' was
-- erased here and never comes back.
DROP VIEW tracked_message;
ALTER TABLE message ADD COLUMN revision INTEGER DEFAULT 0;
ALTER TABLE message ADD COLUMN edited_at TIMESTAMP;
ALTER TABLE message ADD COLUMN erased TEXT;
CREATE VIEW tracked_message AS
SELECT m.*, s.heard_until, c.value
FROM message AS m
INNER JOIN source AS s ON s.name = m.source
LEFT JOIN customer AS c ON c.customer_id = m.customer_id
WHERE m.role = 'customer' AND m.customer_id IS NOT NULL;
