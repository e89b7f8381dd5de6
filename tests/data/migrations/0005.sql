-- What schema 5 adds: a failure whose first claimed fix failed and whose second one waits.
UPDATE investigation SET cases = '["test_001"]' WHERE number = 3;

INSERT INTO fix_claim (pipeline_id, number, revision, subject, claimed_by, source, claimed_at_us, result)
VALUES (1, 3, '4f1c2aa000000000000000000000000000000001', 'Refuse expired tokens', 'ada', 'trailer',
        1795660000000000, 'failed in cycle 6'),
       (1, 3, '5d6e7f8000000000000000000000000000000001', 'Ask for the tenant', 'lin', 'whys fix',
        1795661000000000, 'open');
