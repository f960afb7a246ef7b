-- Append-only: who was judged to be one person, by whom, and what was taken back. No address ever stands here.
-- number: their order. verb: merge, split, reject, undo. undoes: the decision that an undo takes back.
CREATE TABLE identity_decision (
    decision_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    decided_at TIMESTAMP NOT NULL,
    decided_by TEXT NOT NULL,
    verb TEXT NOT NULL,
    undoes TEXT
);
-- Append-only: what a decision did. kind link: first and second are one person. kind apart: they are not. kind move:
-- what second wrote in the message or thread that moved names is first's. basis: the kind of alias, or what said so.
CREATE TABLE identity_effect (
    decision_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    basis TEXT NOT NULL,
    weight DOUBLE,
    moved TEXT
);
-- Recomputable from the decisions: the customer whose a profile is, where that is another than itself.
CREATE TABLE customer_link (
    profile TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL
);
-- Recomputable from the decisions: messages and threads that are another profile's than the one they landed under.
CREATE TABLE moved_message (
    message_id TEXT PRIMARY KEY,
    profile TEXT NOT NULL
);
CREATE TABLE moved_thread (
    source TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    from_profile TEXT NOT NULL,
    profile TEXT NOT NULL,
    PRIMARY KEY (source, thread_id, from_profile)
);
-- Recomputable: pairs of customers who are probably one person. weight: log2 of the odds that the evidence gives.
CREATE TABLE identity_suggestion (
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    weight DOUBLE NOT NULL,
    probability DOUBLE NOT NULL,
    agreeing TEXT[] NOT NULL,
    PRIMARY KEY (first, second)
);
