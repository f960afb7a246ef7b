CREATE TABLE snapshot.alert AS
SELECT a.*, c.name
FROM alert AS a
LEFT JOIN snapshot.customer AS c USING (customer_id)
ORDER BY a.rank DESC, a.alert_id;
