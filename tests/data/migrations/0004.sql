-- What schema 4 adds: a step of a search that is over, one that waits, and a failure whose commit was found.
INSERT INTO cycle (pipeline_id, number, environment, last_seq, trigger_kind, trigger_detail, requested,
    only_cases, search_of, phase, verdict, queued_at_us, decided_at_us, finished_at_us)
VALUES (1, 5, 'staging', 0, 'culprit', 'what broke cycle 3', '1a2b3c4', 'test_001', 3, 'finished', 'green',
        1795600000000000, 1795600060000000, 1795600061000000);

INSERT INTO trigger (pipeline_id, environment, kind, detail, requested, deploy, only_cases, search_of,
    created_at_us, not_before_us)
VALUES (1, 'staging', 'culprit', 'what broke cycle 3', '5d6e7f8', 1, 'test_001', 3, 1795600062000000,
        1795600062000000);

UPDATE fingerprint SET culprit = '4f1c2aa000000000000000000000000000000000'
WHERE fingerprint = 'v1-8f3a11c09d2e';
