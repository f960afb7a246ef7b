INSERT INTO identity_effect BY NAME FROM incoming_effect;
