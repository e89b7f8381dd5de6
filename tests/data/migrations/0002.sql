-- What schema 2 adds: a trigger of each fate with its commits, a branch that is there and one that
-- is gone, a schedule, a wanted look, news of each state.
INSERT INTO trigger (id, pipeline_id, environment, kind, detail, requested, branch, taken_together,
    deploy, only_cases, key, created_at_us, not_before_us, cycle, dropped, ended_at_us)
VALUES (1, 1, 'staging', 'commit', 'main moved to 4f1c2aa',
        '4f1c2aa000000000000000000000000000000001', 'main',
        '["3e0b199000000000000000000000000000000002"]', 1, NULL, NULL,
        1795660190000000, 1795660195000000, 6, NULL, 1795660200000000),
       (2, 1, 'staging', 'commit', 'topic moved to 7a7a7a7',
        '7a7a7a7000000000000000000000000000000003', 'topic', '[]', 1, NULL, NULL,
        1795660300000000, 1795660305000000, NULL, 'branch topic was deleted', 1795660310000000),
       (3, 1, 'staging', 'webhook', 'main moved to 9c9c9c9',
        '9c9c9c9000000000000000000000000000000004', 'main', '[]', 1, NULL, NULL,
        1795670300000000, 1795670305000000, NULL, NULL, NULL),
       (4, 2, 'preview', 'manual', 'asked for by ada', NULL, NULL, '[]', 0, 'test_0*',
        'idempotency 5f1e', 1795670400000000, 1795670460000000, NULL, NULL, NULL);

INSERT INTO branch_cursor (pipeline_id, branch, sha, since_us)
VALUES (1, 'main', '9c9c9c9000000000000000000000000000000004', 1795670300000000),
       (1, 'topic', NULL, 1795660310000000);

INSERT INTO seen_commit (id, pipeline_id, branch, sha, subject, author, seen_at_us, skipped_by, trigger_id)
VALUES (1, 1, 'main', '3e0b199000000000000000000000000000000002', 'Read the token once', 'Ada',
        1795660190000000, NULL, 1),
       (2, 1, 'main', '4f1c2aa000000000000000000000000000000001', 'Refuse expired tokens', 'Ada',
        1795660190000000, NULL, 1),
       (3, 1, 'topic', '7a7a7a7000000000000000000000000000000003', 'Try a cache', 'Bob',
        1795660300000000, NULL, 2),
       (4, 1, 'main', '5d5d5d5000000000000000000000000000000005', 'Correct the manual', 'Bob',
        1795660400000000, 'touches only docs/**', NULL),
       (5, 1, 'main', '9c9c9c9000000000000000000000000000000004', 'Log out everywhere', 'Ada',
        1795670300000000, NULL, 3);

INSERT INTO schedule_cursor (pipeline_id, schedule, due_at_us)
VALUES (1, 'nightly', 1795660200000000);

INSERT INTO look (pipeline_id, wanted, done, why, wanted_at_us)
VALUES (1, 4, 3, 'a hook of forge.example', 1795670500000000),
       (2, 1, 1, 'a hook of forge.example', 1795660500000000);

INSERT INTO outbox (id, key, pipeline_id, target, topic, body, state, attempts, last_error,
    created_at_us, not_before_us, ended_at_us)
VALUES (1, 'chat-staging/6/status', 1, 'forge', 'status of 4f1c2aa', '{"state":"failure"}',
        'delivered', 1, NULL, 1795660265000000, 1795660265000000, 1795660266000000),
       (2, 'chat-staging/6/mail', 1, 'mail', NULL, '{"verdict":"red"}', 'given_up', 12,
        'connection refused', 1795660265000000, 1795660300000000, 1795663900000000),
       (3, 'chat-staging/7/pending', 1, 'forge', 'status of 9c9c9c9', '{"state":"pending"}',
        'superseded', 0, NULL, 1795670200000000, 1795670200000000, 1795670300000000),
       (4, 'chat-staging/7/status', 1, 'forge', 'status of 9c9c9c9', '{"state":"success"}',
        'waiting', 2, 'the forge answered 503', 1795670300000000, 1795670400000000, NULL);
