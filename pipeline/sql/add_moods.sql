INSERT INTO customer_mood BY NAME FROM staged_mood;
