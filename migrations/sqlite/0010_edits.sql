-- Edits of investigations by the pages: who changed what, and the texts that edits begin with, so that two
-- at once can be brought together.

-- A document as it was at some time, by the SHA-256 of its text. The newest of each document are kept.
CREATE TABLE document_text (
    pipeline_id INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    digest      TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    kept_at_us  INTEGER NOT NULL,
    PRIMARY KEY (pipeline_id, number, digest),
    FOREIGN KEY (pipeline_id, number) REFERENCES investigation (pipeline_id, number)
) STRICT;

CREATE TABLE document_edit (
    pipeline_id  INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    -- Its place among the edits of its document, from 1.
    position     INTEGER NOT NULL,
    edited_by    TEXT    NOT NULL,
    edited_at_us INTEGER NOT NULL,
    -- The digests of the text that stood there, and of what took its place.
    before       TEXT    NOT NULL,
    after        TEXT    NOT NULL,
    -- Whether somebody else had changed it since it was opened.
    is_merged    INTEGER NOT NULL,
    added        INTEGER NOT NULL,
    removed      INTEGER NOT NULL,
    -- The lines, as they are shown.
    lines        TEXT    NOT NULL,
    -- Whether it is known to be in the file: the row is there before the file is written.
    is_written   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pipeline_id, number, position),
    FOREIGN KEY (pipeline_id, number) REFERENCES investigation (pipeline_id, number)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 10;
