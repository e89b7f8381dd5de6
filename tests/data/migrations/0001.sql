-- What a database of schema 1 holds: two pipelines, a finished and a running cycle, a held
-- environment, history of cases, a failure with its investigation.
INSERT INTO pipeline (id, name, last_cycle, last_investigation)
VALUES (1, 'chat-staging', 7, 3), (2, 'web', 0, 0);

INSERT INTO cycle (id, pipeline_id, number, environment, last_seq, trigger_kind, trigger_detail,
    requested, phase, held, verdict, void_reason, revision, revision_info, suite, suite_digest,
    planned, passed, failed, suite_ms, report, queued_at_us, decided_at_us, finished_at_us)
VALUES (1, 1, 6, 'staging', 2, 'commit', 'main moved to 4f1c2aa', 'main', 'finished', 0, 'red',
    NULL, '4f1c2aa000000000000000000000000000000001',
    '{"sha":"4f1c2aa000000000000000000000000000000001","subject":"Refuse expired tokens","author":"Ada","branch":"main","time":"2026-11-26T02:30:00Z"}',
    'P1', '0123456789ab', 2, 1, 1, 9100, 'reports/chat-staging/cycle-0006.md',
    1795660200000000, 1795660264000000, 1795660265000000);

INSERT INTO cycle (id, pipeline_id, number, environment, last_seq, trigger_kind, trigger_detail,
    phase, held, queued_at_us)
VALUES (2, 1, 7, 'staging', 1, 'manual', 'asked for by ada', 'deploy', 1, 1795670200000000);

INSERT INTO event (cycle_id, seq, at_us, kind, version, payload)
VALUES (1, 1, 1795660200000000, 'queued', 1,
        '{"pipeline":"chat-staging","cycle":6,"environment":"staging","trigger":{"kind":"commit","detail":"main moved to 4f1c2aa"},"requested":"main","definition":{"file":"pipelines/chat-staging.yaml","config_digest":"c0ffee012345","suite":"P1","suite_digest":"0123456789ab","report_dir":"reports","andon":"0.1.0"},"options":{"deploy":true}}'),
       (1, 2, 1795660265000000, 'finished', 1, '{"verdict":"red","void_reason":null}'),
       (2, 1, 1795670200000000, 'queued', 1,
        '{"pipeline":"chat-staging","cycle":7,"environment":"staging","trigger":{"kind":"manual","detail":"asked for by ada"},"requested":null,"definition":{"file":"pipelines/chat-staging.yaml","config_digest":"c0ffee012345","suite":"P1","suite_digest":"0123456789ab","report_dir":"reports","andon":"0.1.0"},"options":{"deploy":true}}');

INSERT INTO environment_lease (environment, fence, cycle_id, host, boot_id, pid, started, taken_at_us)
VALUES ('staging', 41, 2, 'build-1', 'b007', 4711, '12345', 1795670200000000),
       ('preview', 3, NULL, NULL, NULL, NULL, NULL, NULL);

-- test_001 failed and regressed, 512 ms, 2 attempts; test_002 is still passing, 90 ms.
INSERT INTO case_page (cycle_id, bucket, body)
VALUES (1, 29, X'0108746573745F303031160002008004020F76312D386633613131633039643265'),
       (1, 4, X'0108746573745F303032050100095A01');

-- test_001: planned in cycle 6 and failed there, good in 5; two runs.
INSERT INTO head_page (pipeline_id, environment, bucket, body)
VALUES (1, 'staging', 29, X'0108746573745F303031660106020F0106014F1C2AA000000000000000000000000000000001020264310C6330666665653031323334350F76312D38663361313163303964326505019B0E7D300000000000000000000000000000000206000100020500307D0E9B5A0102A02A1C4F8004');

INSERT INTO fingerprint (pipeline_id, fingerprint, first_cycle, last_cycle, times)
VALUES (1, 'v1-8f3a11c09d2e', 3, 6, 2);

INSERT INTO investigation (pipeline_id, number, fingerprint, slug, state, opened_in, reopened_in, last_seen)
VALUES (1, 3, 'v1-8f3a11c09d2e', 'closed-with-1008', 'reopened', 3, 6, 6);
