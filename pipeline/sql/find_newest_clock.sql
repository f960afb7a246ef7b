-- The latest time until which any tracked customer's sources were heard; NULL when nobody is tracked.
SELECT max(as_of) FROM customer_mood;
