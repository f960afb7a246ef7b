SELECT position FROM cursor WHERE source = $source;
