-- Messages land under the profile that their source's word for a person means, and stay there. These views show them
-- under the person whom the decisions make of it, so that a merge or split is undone without touching a message.
DROP VIEW tracked_message;
CREATE VIEW attributed_message AS
SELECT
    m.message_id, m.source, m.channel, m.text, m.sent_at,
    coalesce(l.customer_id, d.profile, t.profile, m.customer_id) AS customer_id,
    m.role, m.author, m.thread_id, m.rating, m.product, m.department, m.reach, m.landed_at, m.revision, m.edited_at,
    m.erased
FROM message AS m
LEFT JOIN moved_message AS d ON d.message_id = m.message_id
LEFT JOIN moved_thread AS t ON t.source = m.source AND t.thread_id = m.thread_id AND t.from_profile = m.customer_id
LEFT JOIN customer_link AS l ON l.profile = coalesce(d.profile, t.profile, m.customer_id);
-- What is known of the profiles that were merged into each customer; the customer's own profile goes before them.
CREATE VIEW merged_customer AS
SELECT
    l.customer_id, arg_min(c.segment, c.customer_id) AS segment, arg_min(c.plan, c.customer_id) AS plan,
    arg_min(c.value, c.customer_id) AS value, arg_min(c.owner, c.customer_id) AS owner
FROM customer_link AS l
INNER JOIN customer AS c ON c.customer_id = l.profile
GROUP BY l.customer_id;
CREATE VIEW known_customer AS
SELECT
    c.customer_id, coalesce(c.segment, k.segment) AS segment, coalesce(c.plan, k.plan) AS plan,
    coalesce(c.value, k.value) AS value, coalesce(c.owner, k.owner) AS owner
FROM customer AS c
LEFT JOIN merged_customer AS k ON k.customer_id = c.customer_id
WHERE c.customer_id NOT IN (SELECT profile FROM customer_link);
CREATE VIEW known_alias AS
SELECT DISTINCT a.kind, a.value, coalesce(l.customer_id, a.customer_id) AS customer_id
FROM customer_alias AS a
LEFT JOIN customer_link AS l ON l.profile = a.customer_id;
-- The messages that a customer's mood is computed from, with what else it depends on.
CREATE VIEW tracked_message AS
SELECT m.*, s.heard_until, c.value
FROM attributed_message AS m
INNER JOIN source AS s ON s.name = m.source
LEFT JOIN known_customer AS c ON c.customer_id = m.customer_id
WHERE m.role = 'customer' AND m.customer_id IS NOT NULL;
