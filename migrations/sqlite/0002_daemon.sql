-- What the daemon must not forget: why cycles should start, what watched branches pointed to,
-- commits ever seen, due times that were dealt with, news on their way.

-- Why a cycle should start. A row waits until it has become a cycle (`cycle`) or was dropped
-- (`dropped` says why); then it is never changed again, so a key stays taken. The cycle is kept by
-- its number and not as a reference: a trigger must not wait again when its cycle expires.
CREATE TABLE trigger (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline_id    INTEGER NOT NULL REFERENCES pipeline (id),
    environment    TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    detail         TEXT    NOT NULL,
    requested      TEXT,
    -- The branch that moved; then `requested` is the commit to run for.
    branch         TEXT,
    -- JSON: commits whose cycles it takes the place of, oldest first.
    taken_together TEXT    NOT NULL DEFAULT '[]',
    deploy         INTEGER NOT NULL,
    only_cases     TEXT,
    key            TEXT,
    created_at_us  INTEGER NOT NULL,
    not_before_us  INTEGER NOT NULL,
    cycle          INTEGER,
    dropped        TEXT,
    ended_at_us    INTEGER,
    CHECK (cycle IS NULL OR dropped IS NULL),
    CHECK (branch IS NULL OR requested IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX trigger_key ON trigger (pipeline_id, key) WHERE key IS NOT NULL;
CREATE INDEX trigger_waiting ON trigger (id) WHERE cycle IS NULL AND dropped IS NULL;
-- Commits coalesce: one row waits for each branch.
CREATE UNIQUE INDEX trigger_waiting_branch ON trigger (pipeline_id, branch)
    WHERE branch IS NOT NULL AND cycle IS NULL AND dropped IS NULL;

-- Where a watched branch was when it was last looked at; without a commit after it was deleted.
CREATE TABLE branch_cursor (
    pipeline_id INTEGER NOT NULL REFERENCES pipeline (id),
    branch      TEXT    NOT NULL,
    sha         TEXT,
    since_us    INTEGER NOT NULL,
    PRIMARY KEY (pipeline_id, branch)
) STRICT, WITHOUT ROWID;

-- Commits that were seen on a watched branch, in the order in which they were seen. What became of
-- one is what became of its trigger, unless a rule passed it over.
CREATE TABLE seen_commit (
    id          INTEGER PRIMARY KEY,
    pipeline_id INTEGER NOT NULL REFERENCES pipeline (id),
    branch      TEXT    NOT NULL,
    sha         TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    author      TEXT    NOT NULL,
    seen_at_us  INTEGER NOT NULL,
    skipped_by  TEXT,
    trigger_id  INTEGER REFERENCES trigger (id),
    UNIQUE (pipeline_id, branch, sha),
    CHECK ((skipped_by IS NULL) <> (trigger_id IS NULL))
) STRICT;

CREATE INDEX seen_commit_newest ON seen_commit (pipeline_id, id);
CREATE INDEX seen_commit_trigger ON seen_commit (trigger_id) WHERE trigger_id IS NOT NULL;

-- The last due time of each schedule that was dealt with.
CREATE TABLE schedule_cursor (
    pipeline_id INTEGER NOT NULL REFERENCES pipeline (id),
    schedule    TEXT    NOT NULL,
    due_at_us   INTEGER NOT NULL,
    PRIMARY KEY (pipeline_id, schedule)
) STRICT, WITHOUT ROWID;

-- Remotes to look at now. The row stays when the look is done, so that its numbers only grow.
CREATE TABLE look (
    pipeline_id  INTEGER PRIMARY KEY REFERENCES pipeline (id),
    wanted       INTEGER NOT NULL,
    done         INTEGER NOT NULL DEFAULT 0,
    why          TEXT    NOT NULL,
    wanted_at_us INTEGER NOT NULL
) STRICT;

CREATE INDEX look_wanted ON look (pipeline_id) WHERE wanted > done;

-- News on their way. The state is `waiting`, `delivered`, `given_up`, or `superseded` by a later
-- message of the same topic.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    key           TEXT    NOT NULL UNIQUE,
    pipeline_id   INTEGER NOT NULL REFERENCES pipeline (id),
    target        TEXT    NOT NULL,
    topic         TEXT,
    body          TEXT    NOT NULL,
    state         TEXT    NOT NULL DEFAULT 'waiting',
    attempts      INTEGER NOT NULL DEFAULT 0,
    last_error    TEXT,
    created_at_us INTEGER NOT NULL,
    not_before_us INTEGER NOT NULL,
    ended_at_us   INTEGER
) STRICT;

CREATE INDEX outbox_waiting ON outbox (pipeline_id, target, id) WHERE state = 'waiting';
CREATE INDEX outbox_given_up ON outbox (id) WHERE state = 'given_up';

PRAGMA user_version = 2;
