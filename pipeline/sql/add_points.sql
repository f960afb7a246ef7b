INSERT INTO mood_point BY NAME FROM incoming_point;
