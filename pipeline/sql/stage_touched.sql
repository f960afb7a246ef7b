-- Whose moods no longer follow from what is stored: they are deleted, and tracked again.
CREATE OR REPLACE TEMP TABLE staged_mood AS SELECT customer_id FROM incoming_chosen;
