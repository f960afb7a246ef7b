SELECT name FROM taken_file WHERE source = $source AND digest = $digest;
