-- Of whom there is news, but whom a decision left without a message: they have no mood.
CREATE OR REPLACE TEMP TABLE staged_mood AS
SELECT DISTINCT customer_id FROM news WHERE customer_id NOT IN (SELECT customer_id FROM tracked_message);
