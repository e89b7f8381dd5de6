-- The commit of which a forge was told that it waits with this trigger, until something else was told of it.
ALTER TABLE trigger ADD COLUMN told_sha TEXT;

CREATE INDEX trigger_told ON trigger (id) WHERE told_sha IS NOT NULL;

PRAGMA user_version = 7;
