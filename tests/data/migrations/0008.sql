-- What schema 8 adds: links of records that expired since, and that of a step which a cycle took up that began
-- before there were links.
INSERT INTO event (cycle_id, seq, at_us, kind, version, payload)
VALUES (2, 2, 1795790001000000, 'step_started', 1,
        '{"index":0,"name":"Roll out","attempt":2,"deadline_at":"2026-11-27T14:33:21Z","run_dir":"runs/7-0-2"}');
UPDATE cycle SET last_seq = 2 WHERE id = 2;

INSERT INTO deploy_link (environment, position, pipeline_id, cycle, seq, content, digest)
VALUES ('staging', 1, 1, 2, 3,
        X'BA40F223855F3662092439AAC7B963BDC6757EB0EA8B32BDD9D20C8927B036E5',
        X'06E9931B44092982E0BDA109E1024E6E4E542DA57EF52BB66A338FFBACFB0541'),
       ('staging', 2, 1, 2, 5,
        X'F226B202C53196374DEC46FEC273B7A4B8C39AD6B8CDB3FEAF068A6E4163A960',
        X'964F4C6340E677CB813AF773E7B36E3B07793F50487E6514AEC7F954345DB7EE'),
       ('staging', 3, 1, 7, 2,
        X'0D54CF8F473747A61E2FA333ABB2C178B2159B065EA3708C50ACBCA5376D4450',
        X'685AF2E99893ED50BE533D45A7D252BDC85F986FA1D61745DFF4AF4D0B91CEB1');
