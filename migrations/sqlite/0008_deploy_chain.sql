-- What was deployed cannot be told otherwise later without being found out: each record of a deploy has
-- a link in the chain of its environment, made of the link before it and of what was recorded.

-- One row a record; the rule is in src/store/chain.rs. It stays when the events of its cycle expire, and
-- names the cycle by its number: a link must not go with anything.
CREATE TABLE deploy_link (
    environment TEXT    NOT NULL,
    -- Its place in the chain, from 1, without gaps.
    position    INTEGER NOT NULL,
    pipeline_id INTEGER NOT NULL REFERENCES pipeline (id),
    cycle       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    -- SHA-256 of what was recorded.
    content     BLOB    NOT NULL,
    -- SHA-256 of the digest before it, of the place and of `content`.
    digest      BLOB    NOT NULL,
    PRIMARY KEY (environment, position),
    UNIQUE (pipeline_id, cycle, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER deploy_link_is_never_changed BEFORE UPDATE ON deploy_link
BEGIN
    SELECT RAISE(ABORT, 'a link of the deploy records is never changed');
END;

CREATE TRIGGER deploy_link_is_never_deleted BEFORE DELETE ON deploy_link
BEGIN
    SELECT RAISE(ABORT, 'a link of the deploy records is never deleted');
END;

-- Events up to here were recorded before there were links, and have none.
ALTER TABLE cycle ADD COLUMN unlinked_to INTEGER NOT NULL DEFAULT 0;
UPDATE cycle SET unlinked_to = last_seq;

PRAGMA user_version = 8;
