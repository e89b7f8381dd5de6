-- What schema 10 adds: an edit that is in the file, and one whose writer ended before it said so.
INSERT INTO document_text (pipeline_id, number, digest, text, kept_at_us)
VALUES (1, 3, 'aa', 'before', 1795660000000000),
       (1, 3, 'bb', 'after', 1795661000000000);

INSERT INTO document_edit (pipeline_id, number, position, edited_by, edited_at_us, before, after, is_merged, added,
                           removed, lines, is_written)
VALUES (1, 3, 1, 'ada (token ops)', 1795661000000000, 'aa', 'bb', 1, 1, 1, '@Notes
-before
+after
', 1),
       (1, 3, 2, 'lin', 1795662000000000, 'bb', 'cc', 0, 1, 0, '@Notes
+more
', 0);
