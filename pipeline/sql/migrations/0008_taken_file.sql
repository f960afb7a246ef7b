-- Files of a watched folder that have landed whole, so that each is taken once.
CREATE TABLE taken_file (
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    taken_at TIMESTAMP NOT NULL,
    PRIMARY KEY (source, digest)
);
