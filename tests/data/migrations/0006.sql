-- What schema 6 adds: a commit of reports that started no cycle, in the other pipeline.
INSERT INTO seen_commit (pipeline_id, branch, sha, subject, author, seen_at_us, skipped_by, echo)
VALUES (2, 'main', '6e7f8a9000000000000000000000000000000001', 'Format reports', 'bot', 1795662000000000,
        'nothing but reports, like what started 3 cycles in a row', 'stopped');
