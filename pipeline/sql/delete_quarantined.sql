-- Bad records keep who wrote them as a pseudonym, in their JSON.
DELETE FROM quarantine
WHERE EXISTS (SELECT 1 FROM incoming_forgotten AS f WHERE contains(record, concat('"customer": "', f.customer_id, '"')));
