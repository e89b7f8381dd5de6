-- Commits of which a forge was told that they are pending, until it is told how that ended. Several of one
-- trigger: those that are taken together hear the end of the cycle that covers them.
CREATE TABLE told_commit (
    trigger_id INTEGER NOT NULL REFERENCES trigger (id),
    sha        TEXT    NOT NULL,
    -- What it was told last: `waits`, `with_newer`, `runs` or `held`.
    heard      TEXT    NOT NULL,
    PRIMARY KEY (trigger_id, sha)
) STRICT, WITHOUT ROWID;

INSERT INTO told_commit (trigger_id, sha, heard)
SELECT id, told_sha, 'waits' FROM trigger WHERE told_sha IS NOT NULL;

DROP INDEX trigger_told;
ALTER TABLE trigger DROP COLUMN told_sha;

PRAGMA user_version = 9;
