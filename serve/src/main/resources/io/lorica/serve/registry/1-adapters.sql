-- Dialect common to SQLite and PostgreSQL.
CREATE TABLE adapters (
    name TEXT PRIMARY KEY,
    location TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    base_fingerprint TEXT,
    adapter_rank INTEGER NOT NULL,
    bytes BIGINT NOT NULL,
    added_millis BIGINT NOT NULL
);
-- One row; whoever changes an adapter counts it up in the same transaction, and so changes have one order.
CREATE TABLE changes (version BIGINT NOT NULL);
INSERT INTO changes (version) VALUES (0);
