-- What schema 7 adds: the commit of the trigger that waits is pending, as its forge was told.
UPDATE trigger SET told_sha = requested
WHERE pipeline_id = 1 AND branch = 'main' AND cycle IS NULL AND dropped IS NULL;
