-- Of messages and threads (a thread's id, in any source): what a customer wrote there, and the profile it landed under.
SELECT DISTINCT
    CASE WHEN t.thread THEN concat(m.source, chr(9), m.thread_id) ELSE m.message_id END AS moved, r.customer_id
FROM incoming_what AS t
INNER JOIN attributed_message AS m ON m.customer_id = $customer AND CASE WHEN t.thread THEN m.thread_id ELSE m.message_id END = t.what
INNER JOIN message AS r ON r.message_id = m.message_id
ORDER BY ALL;
