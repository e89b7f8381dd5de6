-- What schema 3 adds: a cycle that expired a moment before the process died, with an event left, and a
-- mark of the last write.
INSERT INTO cycle (pipeline_id, number, environment, last_seq, trigger_kind, trigger_detail, phase,
    verdict, report, queued_at_us, decided_at_us, finished_at_us, expired_at_us, bytes)
VALUES (1, 2, 'staging', 9, 'commit', 'main moved to 1a2b3c4', 'finished', 'green',
        'reports/chat-staging/cycle-0002.md', 1795600000000000, 1795600060000000, 1795600061000000,
        1795680000000000, 4096);

INSERT INTO event (cycle_id, seq, at_us, kind, version, payload)
SELECT id, 9, 1795600061000000, 'finished', 1, '{"verdict":"green","void_reason":null}'
FROM cycle WHERE pipeline_id = 1 AND number = 2;

INSERT INTO expiring (cycle_id) SELECT id FROM cycle WHERE pipeline_id = 1 AND number = 2;

INSERT INTO last_write (one, at_us) VALUES (1, 1795680001000000);
