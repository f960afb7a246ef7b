-- The outbox. state: due -> sending -> sent | failed. A row found 'sending' by a later run is 'unconfirmed': never sent again.
CREATE TABLE delivery (
    alert_id TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    changed_at TIMESTAMP NOT NULL,
    detail TEXT,
    PRIMARY KEY (alert_id, target)
);
