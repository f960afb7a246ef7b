-- What happened to a customer besides messages, under the person whom the decisions make of it: purchases, refunds (a
-- purchase of a negative amount), and left, renewed, won_back. A bare day on which somebody left counts from its end:
-- what they wrote that day came before.
CREATE VIEW tracked_event AS
SELECT
    coalesce(l.customer_id, p.customer_id) AS customer_id,
    CASE WHEN p.amount < 0 THEN 'refund' ELSE 'purchase' END AS kind, p.bought_at AS happened_at
FROM purchase AS p
LEFT JOIN customer_link AS l ON l.profile = p.customer_id
UNION ALL
SELECT
    coalesce(l.customer_id, o.customer_id) AS customer_id, o.kind,
    CASE
        WHEN o.kind = 'left' AND o.happened_at = date_trunc('day', o.happened_at)
            THEN o.happened_at + INTERVAL '1 day' - INTERVAL '1 microsecond'
        ELSE o.happened_at
    END AS happened_at
FROM outcome AS o
LEFT JOIN customer_link AS l ON l.profile = o.customer_id;
-- All that a customer's mood is computed from, a row a message or event: an id and its revision say all of a message.
CREATE VIEW mood_input AS
SELECT customer_id, hash(message_id, revision) AS digest, sent_at, heard_until, value FROM tracked_message
UNION ALL
SELECT customer_id, hash(kind, happened_at) AS digest, NULL, NULL, NULL FROM tracked_event;
-- The time of a customer's mood: the last whole day until which their sources were heard, and never before their last
-- message. The clock of silence goes by whole days: what came in an hour ago on a source does not touch everybody else
-- who writes there.
CREATE MACRO heard_to(sent_at, heard_until) AS greatest(max(sent_at), date_trunc('day', max(heard_until))::TIMESTAMP);
-- What a customer's rows of mood_input come to: it differs where the mood may.
CREATE MACRO mood_digest(digest, sent_at, heard_until, value) AS
hash(sum(digest), heard_to(sent_at, heard_until), any_value(value));
