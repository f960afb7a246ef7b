-- Of whom something changed since their mood was tracked: they are tracked again. Written in the transaction of the
-- change, taken away in the one that stores the mood; one customer may stand here several times.
CREATE TABLE news (customer_id TEXT NOT NULL);
INSERT INTO news SELECT DISTINCT customer_id FROM tracked_message;
DROP VIEW mood_input;
DROP MACRO mood_digest;
ALTER TABLE customer_mood DROP COLUMN inputs;
-- Moods of whom a decision left without a message, which nobody looked for.
DELETE FROM customer_mood WHERE customer_id NOT IN (SELECT customer_id FROM news);
DELETE FROM mood_point WHERE customer_id NOT IN (SELECT customer_id FROM news);
DELETE FROM ledger_entry WHERE customer_id NOT IN (SELECT customer_id FROM news);
-- counted_until: the day until which silence on this source has become news.
ALTER TABLE source ADD COLUMN counted_until TIMESTAMP;
-- What tracking takes of a message or reading stands in small columns of its own: the texts and whole vectors would be
-- most of what it reads. worded: there is a text to read. leaving: how likely the intent to cancel is.
-- disservice_chances: the probabilities of disservice_labels.
ALTER TABLE message ADD COLUMN worded BOOLEAN;
UPDATE message SET worded = text <> '';
-- Written anew: an UPDATE of lists in a table with a key takes twenty times as long.
ALTER TABLE reading RENAME TO first_reading;
CREATE TABLE reading (
    message_id TEXT NOT NULL,
    version TEXT NOT NULL,
    mood FLOAT[] NOT NULL,
    sentiment FLOAT[] NOT NULL,
    intents FLOAT[] NOT NULL,
    disservices FLOAT[] NOT NULL,
    mood_label TEXT NOT NULL,
    sentiment_label TEXT NOT NULL,
    intent_labels TEXT[] NOT NULL,
    disservice_labels TEXT[] NOT NULL,
    leaving FLOAT,
    disservice_chances FLOAT[],
    PRIMARY KEY (message_id, version)
);
INSERT INTO reading
SELECT
    *, intents[1],
    list_transform(disservice_labels, lambda label: disservices[list_position([
        'no_human', 'long_wait', 'runaround', 'ignored', 'canned_reply', 'broken_promise', 'rude_staff',
        'billing_error', 'late_or_missing', 'faulty_product', 'outage_or_bug', 'unwanted_contact', 'policy_friction',
        'unresolved'
    ], label)])
FROM first_reading;
DROP TABLE first_reading;
CREATE OR REPLACE VIEW attributed_message AS
SELECT
    m.message_id, m.source, m.channel, m.text, m.sent_at,
    coalesce(l.customer_id, d.profile, t.profile, m.customer_id) AS customer_id,
    m.role, m.author, m.thread_id, m.rating, m.product, m.department, m.reach, m.landed_at, m.revision, m.edited_at,
    m.erased, m.worded
FROM message AS m
LEFT JOIN moved_message AS d ON d.message_id = m.message_id
LEFT JOIN moved_thread AS t ON t.source = m.source AND t.thread_id = m.thread_id AND t.from_profile = m.customer_id
LEFT JOIN customer_link AS l ON l.profile = coalesce(d.profile, t.profile, m.customer_id);
CREATE OR REPLACE VIEW tracked_message AS
SELECT m.*, s.heard_until, c.value
FROM attributed_message AS m
INNER JOIN source AS s ON s.name = m.source
LEFT JOIN known_customer AS c ON c.customer_id = m.customer_id
WHERE m.role = 'customer' AND m.customer_id IS NOT NULL;
