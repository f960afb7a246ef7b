-- erased: the revision at which a text was last erased. Snapshots of earlier ones may still show it; 0 where none was.
ALTER TABLE revision ADD COLUMN erased BIGINT DEFAULT 0;
