-- How far each source has been read; moves only in the transaction that lands the records.
CREATE TABLE cursor (
    source TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    moved_at TIMESTAMP NOT NULL
);
