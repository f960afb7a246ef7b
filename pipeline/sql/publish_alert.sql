CREATE TABLE snapshot.alert AS
SELECT a.* REPLACE (coalesce(l.customer_id, a.customer_id) AS customer_id), c.name
FROM alert AS a
LEFT JOIN customer_link AS l ON l.profile = a.customer_id
LEFT JOIN snapshot.customer AS c ON c.customer_id = coalesce(l.customer_id, a.customer_id)
ORDER BY a.rank DESC, a.alert_id;
