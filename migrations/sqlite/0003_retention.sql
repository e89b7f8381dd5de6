-- Cycles expire: their events, case results and logs go, their row in the list stays, so that "was my
-- commit tested?" is answered for good.

-- When the records of the cycle expired.
ALTER TABLE cycle ADD COLUMN expired_at_us INTEGER;
-- What its records and logs take, measured once when it is over.
ALTER TABLE cycle ADD COLUMN bytes INTEGER;

CREATE INDEX cycle_kept ON cycle (pipeline_id, number) WHERE expired_at_us IS NULL;
CREATE INDEX cycle_unmeasured ON cycle (id)
    WHERE bytes IS NULL AND expired_at_us IS NULL AND finished_at_us IS NOT NULL;
CREATE INDEX cycle_expired ON cycle (pipeline_id, expired_at_us) WHERE expired_at_us IS NOT NULL;

-- Expired cycles of which something may still be there: what is removed bit by bit is also removed
-- after a crash.
CREATE TABLE expiring (
    cycle_id INTEGER PRIMARY KEY REFERENCES cycle (id) ON DELETE CASCADE
) STRICT;

-- Written to when nothing else is, to see whether there is room: one row.
CREATE TABLE last_write (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    at_us INTEGER NOT NULL
) STRICT;

CREATE INDEX trigger_ended ON trigger (ended_at_us) WHERE ended_at_us IS NOT NULL;
CREATE INDEX outbox_ended ON outbox (ended_at_us) WHERE ended_at_us IS NOT NULL;

PRAGMA user_version = 3;
