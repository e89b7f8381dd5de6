-- Fixes that somebody claims, and the cases that must show whether a claim holds.

-- JSON: the cases in which the failure was seen since it was opened or came back, at most 1000.
ALTER TABLE investigation ADD COLUMN cases TEXT NOT NULL DEFAULT '[]';

-- The document of an investigation shows the same rows; each of the two outlives the loss of the other.
CREATE TABLE fix_claim (
    pipeline_id   INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    revision      TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    claimed_by    TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    claimed_at_us INTEGER NOT NULL,
    -- What became of it, in words that are read back, as `verified in cycle 5`.
    result        TEXT    NOT NULL,
    PRIMARY KEY (pipeline_id, number, revision),
    FOREIGN KEY (pipeline_id, number) REFERENCES investigation (pipeline_id, number)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 5;
