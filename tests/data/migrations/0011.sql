-- What schema 11 adds: a cycle that was asked for, and a session.
INSERT INTO act (id, at_us, person, kind, pipeline, subject, detail)
VALUES (1, 1795661000000000, 'token ops', 'log_in', NULL, NULL, ''),
       (2, 1795662000000000, 'ada (token ops)', 'start', 'chat-staging', 'trigger 7', 'main, without a deploy');
