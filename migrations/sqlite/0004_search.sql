-- Searches for the commit that broke a cycle: each step is a cycle of its own.

-- The cycle whose regressions this one is about.
ALTER TABLE cycle ADD COLUMN search_of INTEGER;
ALTER TABLE trigger ADD COLUMN search_of INTEGER;
-- The commit that a search found to bring this failure.
ALTER TABLE fingerprint ADD COLUMN culprit TEXT;

CREATE INDEX cycle_search ON cycle (pipeline_id, search_of, number) WHERE search_of IS NOT NULL;

PRAGMA user_version = 4;
