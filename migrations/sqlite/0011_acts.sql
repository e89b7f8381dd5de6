-- What people had the daemon do over HTTP, and who they were. The newest are kept.
CREATE TABLE act (
    id       INTEGER PRIMARY KEY,
    at_us    INTEGER NOT NULL,
    -- Who, as far as it is known: what a request calls itself, beside the name of its token.
    person   TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    -- What it was done to, as far as it was to something; the pipeline by name, as it may have no row.
    pipeline TEXT,
    subject  TEXT,
    -- What was asked for, in words.
    detail   TEXT    NOT NULL
) STRICT;

PRAGMA user_version = 11;
