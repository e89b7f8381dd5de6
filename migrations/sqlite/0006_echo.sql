-- Whether a commit may be what an earlier cycle left behind: `yes`, or `stopped` where no cycle ran for it
-- because cycles for such commits go round. NULL: it touches something else, or nobody can tell.
ALTER TABLE seen_commit ADD COLUMN echo TEXT;

PRAGMA user_version = 6;
