-- What schema 9 adds: a commit that is taken together with that of the trigger that waits.
INSERT INTO told_commit (trigger_id, sha, heard)
SELECT id, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'with_newer' FROM trigger
WHERE pipeline_id = 1 AND branch = 'main' AND cycle IS NULL AND dropped IS NULL;
