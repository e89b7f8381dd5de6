-- The ledger of cycles and the lists made from it.
-- Never edit a migration that was released: add the next one, with sample data beside it
-- (tests/data/migrations/NNNN.sql) that the one after it is tried on.

-- One row a pipeline. The counters are never set back, so that a number is never used twice, not
-- even after its cycle was deleted.
CREATE TABLE pipeline (
    id                 INTEGER PRIMARY KEY,
    name               TEXT    NOT NULL UNIQUE,
    last_cycle         INTEGER NOT NULL DEFAULT 0,
    last_investigation INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One row a cycle: the list view. Everything but `last_seq` is derived from the cycle's events.
CREATE TABLE cycle (
    id             INTEGER PRIMARY KEY,
    pipeline_id    INTEGER NOT NULL REFERENCES pipeline (id),
    number         INTEGER NOT NULL,
    environment    TEXT    NOT NULL,
    last_seq       INTEGER NOT NULL,
    trigger_kind   TEXT    NOT NULL,
    trigger_detail TEXT    NOT NULL,
    requested      TEXT,
    -- The glob that limited its cases, where one did.
    only_cases     TEXT,
    phase          TEXT    NOT NULL,
    held           INTEGER NOT NULL DEFAULT 0,
    verdict        TEXT,
    void_reason    TEXT,
    revision       TEXT,
    revision_info  TEXT,
    suite          TEXT,
    suite_digest   TEXT,
    planned        INTEGER NOT NULL DEFAULT 0,
    passed         INTEGER NOT NULL DEFAULT 0,
    flaky          INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    errored        INTEGER NOT NULL DEFAULT 0,
    skipped        INTEGER NOT NULL DEFAULT 0,
    not_run        INTEGER NOT NULL DEFAULT 0,
    suite_ms       INTEGER,
    report         TEXT,
    queued_at_us   INTEGER NOT NULL,
    decided_at_us  INTEGER,
    finished_at_us INTEGER,
    UNIQUE (pipeline_id, number)
) STRICT;

CREATE INDEX cycle_open ON cycle (environment) WHERE finished_at_us IS NULL;
CREATE INDEX cycle_baseline ON cycle (pipeline_id, environment, number)
    WHERE verdict IN ('green', 'red', 'incomplete');

-- The truth. Rows are added and, when a cycle expires, removed with it; never changed.
CREATE TABLE event (
    cycle_id INTEGER NOT NULL REFERENCES cycle (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    at_us    INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    payload  TEXT    NOT NULL,
    PRIMARY KEY (cycle_id, seq)
) STRICT;

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'an event is never changed');
END;

-- Who may change an environment. The fence only grows: it outlives every holder.
CREATE TABLE environment_lease (
    environment TEXT    NOT NULL PRIMARY KEY,
    fence       INTEGER NOT NULL,
    cycle_id    INTEGER REFERENCES cycle (id) ON DELETE SET NULL,
    host        TEXT,
    boot_id     TEXT,
    pid         INTEGER,
    started     TEXT,
    taken_at_us INTEGER
) STRICT;

-- What became of each case in each cycle, many cases in a row (see src/store/packed.rs).
CREATE TABLE case_page (
    cycle_id INTEGER NOT NULL REFERENCES cycle (id) ON DELETE CASCADE,
    bucket   INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    PRIMARY KEY (cycle_id, bucket)
) STRICT;

-- What earlier cycles say about each case of a pipeline in an environment, likewise.
CREATE TABLE head_page (
    pipeline_id INTEGER NOT NULL REFERENCES pipeline (id),
    environment TEXT    NOT NULL,
    bucket      INTEGER NOT NULL,
    body        BLOB    NOT NULL,
    PRIMARY KEY (pipeline_id, environment, bucket)
) STRICT;

-- How often a failure was seen.
CREATE TABLE fingerprint (
    pipeline_id INTEGER NOT NULL REFERENCES pipeline (id),
    fingerprint TEXT    NOT NULL,
    first_cycle INTEGER NOT NULL,
    last_cycle  INTEGER NOT NULL,
    times       INTEGER NOT NULL,
    PRIMARY KEY (pipeline_id, fingerprint)
) STRICT, WITHOUT ROWID;

-- The five-whys documents; their text lives in files.
CREATE TABLE investigation (
    pipeline_id INTEGER NOT NULL REFERENCES pipeline (id),
    number      INTEGER NOT NULL,
    fingerprint TEXT    NOT NULL,
    slug        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    opened_in   INTEGER NOT NULL,
    reopened_in INTEGER,
    last_seen   INTEGER NOT NULL,
    PRIMARY KEY (pipeline_id, number),
    UNIQUE (pipeline_id, fingerprint)
) STRICT, WITHOUT ROWID;

-- 'Andn': tells our file from any other SQLite database.
PRAGMA application_id = 1097753710;
PRAGMA user_version = 1;
