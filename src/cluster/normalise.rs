//! Takes out of a text what varies from run to run, so that two reports of one failure read alike.
//!
//! Masked: numbers, durations, times, ids, addresses and ports, file paths, quoted values, payloads.
//! Kept: words, routes (their ids masked), and numbers that are HTTP statuses, close codes or exit
//! codes by what stands before them. Every kind of id leaves the same mark, so that an id which
//! happens to look like a number does not make another text.
//!
//! A help, not a proof: a random token without any digit is taken for a word.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::writer::{Style, Writer};

/// Only so many bytes of a text are looked at.
pub const MAX_BYTES: usize = 4096;

/// What stands for an object, an array, or the rest of one that was cut.
const PAYLOAD: &str = "{…}";

/// Things that are known by their whole shape. Which one a match is, its beginning tells.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        // A URL.
        r#"[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s"'<>\\^`|()]+"#,
        // Quoted texts. A `'` within a word is an apostrophe.
        r#""(?:[^"\\]|\\.)*""#,
        r"\B'[^'\n]*'\B",
        r"`[^`\n]*`",
        // The beginning of a payload.
        r#"[{\[]\s*["'{\[]"#,
        // A colour.
        r"\x1b\[[0-9;?]*[A-Za-z]",
        // A UUID.
        r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b",
        // IPv6, with or without brackets and port.
        r"\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]+)?",
        r"(?:\b[0-9A-Fa-f]{1,4}|:):(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{1,4}\b",
        // A host, by its ending or by its port.
        r"\b(?:localhost|(?:[A-Za-z0-9-]+\.)+(?:com|net|org|io|dev|cloud|run|local|internal|localhost|example|invalid|test))(?::[0-9]+)?\b",
        r"\b(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*:[0-9]{4,5}\b",
        // A date in words.
        r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?(?:[0-9]{1,2}[ -])?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*(?:[ -][0-9]{1,4})(?:,?\s+[0-9]{4})?\b",
        // Base64 with its padding.
        r"[+/]*\b[A-Za-z0-9+/_-]{8,}={1,2}\B",
        // Paths: with a drive, or from the root.
        r"\b[A-Za-z]:\\[^\s\x22'<>|*?]+",
        r"\B~?/(?:[\w.@%+~,=:/-]|\{\w+\})*(?:[\w@%+~/-]|\{\w+\})(?:\?[^\s\x22'<>)]*)?",
    ];
    Regex::new(&shapes.join("|")).expect("the shapes are a regular expression")
});

/// A text without what varies, in lower case and with single spaces.
///
/// Takes time linear in the text, of which it reads at most [`MAX_BYTES`].
pub fn normalise(text: &str) -> Cow<'_, str> {
    normalise_as(text, Style::OUTSIDE)
}

pub(super) fn normalise_as(text: &str, style: Style) -> Cow<'_, str> {
    let text = &text[..text.floor_char_boundary(MAX_BYTES)];
    let mut writer = Writer::new(text.len(), style);
    let mut at = 0;
    while let Some(found) = SHAPES.find_at(text, at) {
        writer.words(&text[at..found.start()]);
        at = if is_payload(found.as_str()) {
            writer.verbatim(PAYLOAD);
            end_of_payload(text, found.start())
        } else {
            writer.shape(found.as_str());
            found.end()
        };
    }
    writer.words(&text[at..]);
    let normal = writer.finish();
    if normal == text { Cow::Borrowed(text) } else { Cow::Owned(normal) }
}

/// Whether a match is the beginning of a payload (and not a bracketed address).
fn is_payload(shape: &str) -> bool {
    shape.starts_with(['{', '[']) && shape.ends_with(['"', '\'', '{', '['])
}

/// Where an object or array that begins at `start` ends: behind its last bracket, or at the end of
/// a text that was cut.
fn end_of_payload(text: &str, start: usize) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in text.as_bytes()[start..].iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return start + offset + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> String {
        normalise(text).into_owned()
    }

    #[test]
    fn what_varies_is_masked_and_what_tells_stays() {
        let table = [
            // Numbers, durations, sizes, times.
            ("retried 3 times in 1.25s", "retried # times in #"),
            ("took 850 ms, limit 200 ms", "took #, limit #"),
            ("ran 1h 5m 2s", "ran #"),
            ("3m20s left", "# left"),
            ("read 12,345 of 4 KiB", "read # of #"),
            ("balance -5 at 1e9", "balance # at #"),
            ("at 2026-09-07T16:36:01.123+02:00: gone", "at #: gone"),
            ("at 2026-09-07 16:36:01 UTC", "at #"),
            ("since Mon, 07 Sep 2026 16:36:01 GMT", "since # gmt"),
            ("on Sep 7, 2026", "on #"),
            ("got [1, 2, 3]", "got [#]"),
            // Ids.
            ("user 7c9e6679-7425-40de-944b-e07fc1f90ae7 is gone", "user # is gone"),
            ("commit 4f1c2aa", "commit #"),
            ("object at 0x7f3a5c2d", "object at #"),
            ("id 01ARZ3NDEKTSV4RRFFQ69G5FAV", "id #"),
            ("token V1StGXR8_Z5jdHi6B-myT", "token #"),
            ("basic dXNlcjpwYXNzd29yZA==", "basic #"),
            ("elapsed_seconds=5, status_code=404", "elapsed_seconds=#, status_code=404"),
            ("p1-003-c7-4f1c2aa", "p#-c#"),
            ("ws_ab12cd34_1757262961_0a1b2c3d", "ws_#"),
            // Addresses.
            ("127.0.0.1:38211 refused the connection", "# refused the connection"),
            ("[::1]:8080 refused", "# refused"),
            ("fe80::1ff:fe23:4567:890a is down", "# is down"),
            ("no answer from chat.example.com:8443", "no answer from #"),
            ("localhost:9000 is down", "# is down"),
            ("host backend:8000", "host #"),
            // Addresses with a route, and paths of files.
            (
                "GET https://staging.example.com:8443/api/messages/17?page=2 failed",
                "get /api/messages/{id} failed",
            ),
            (
                "GET /api/threads/7c9e6679-7425-40de-944b-e07fc1f90ae7/messages",
                "get /api/threads/{id}/messages",
            ),
            ("see http://127.0.0.1:3000/.", "see /."),
            ("no such file: /home/ci/build-12/tests/data.json", "no such file: {path}"),
            ("in /app/tests/test_chat.py:12", "in {path}"),
            (r"in C:\Users\ci\x.txt", "in {path}"),
            ("/api/v1/oauth2/token", "/api/v1/oauth2/token"),
            ("wants text/html", "wants text/html"),
            // Quoted values, names, payloads.
            (r#"expected "healthy", got "degraded""#, r#"expected "…", got "…""#),
            ("KeyError: 'status'", "keyerror: \"status\""),
            ("object has no attribute 'user_id'", "object has no attribute \"user_id\""),
            ("it isn't there, don't wait", "it isn't there, don't wait"),
            (r#"body {"a": [1, {"b": "}"}], "c": 2} is wrong"#, "body {…} is wrong"),
            (r#"body {"a": "cut he"#, "body {…}"),
            // Codes.
            ("expected status 200, got 404", "expected status 200, got 404"),
            ("HTTP/1.1 503 Service Unavailable", "http/# 503 service unavailable"),
            ("socket closed with 1008 after 312 frames", "socket closed with 1008 after # frames"),
            ("received close code 1011", "received close code 1011"),
            ("expected a status of 2xx", "expected a status of 2xx"),
            ("exit code 3 after 17 s", "exit code 3 after #"),
            ("process exited with status 137", "process exited with status 137"),
            ("assert 404 == 200", "assert 404 == 200"),
            ("assert 312 == 310", "assert # == #"),
            ("status 200000", "status #"),
            // Names.
            ("test_017_concurrent_users_real failed", "test_#_concurrent_users_real failed"),
            ("Base64DecodeError in Http2Stream", "base#decodeerror in http#stream"),
            ("AuthenticationServiceUnavailable", "authenticationserviceunavailable"),
            // White space, case, colours.
            ("  Connection\t RESET \n by peer ", "connection reset by peer"),
            ("\u{1b}[31mred\u{1b}[0m alert", "red alert"),
            ("", ""),
            ("größe ÄNDERT sich", "größe ändert sich"),
        ];
        for (text, expected) in table {
            assert_eq!(normalise(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_the_author_wrote_is_kept_within_quotes() {
        let table = [
            (r#""healthy""#, r#""healthy""#),
            (r#"containing "Kept by 4f1c2aa in cycle 7""#, r#"containing "kept by # in cycle #""#),
        ];
        for (text, expected) in table {
            assert_eq!(normalise_as(text, Style::WANTED), expected, "{text:?}");
        }
    }

    #[test]
    fn a_normal_text_is_not_copied() {
        assert!(matches!(normalise("connection reset by peer"), Cow::Borrowed(_)));
    }

    #[test]
    fn only_the_beginning_of_a_long_text_counts() {
        let long = "wörd ".repeat(2_000);
        let other = format!("{long} and more");
        assert!(long.len() > MAX_BYTES);
        assert_eq!(normalise(&long), normalise(&other));
    }

    /// One thing that varies, of any kind.
    fn varying() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            (0_u32..100_000, 0_u32..100).prop_map(|(a, b)| format!("{a}.{b}")),
            (1_u32..10_000, prop::sample::select(vec!["ms", "s", " ms", " seconds", "m", "µs"]))
                .prop_map(|(n, unit)| format!("{n}{unit}")),
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
            "[0-9a-f]{7,40}",
            "[0-9A-F]{7,40}",
            "0x[0-9a-f]{4,16}",
            "[0-7][0-9A-HJKMNP-TV-Z]{25}",
            "[A-Z][a-z][0-9][A-Za-z0-9_-]{17,40}[A-Za-z0-9]",
            "[A-Za-z0-9+]{14,40}==?",
            (any::<[u8; 4]>(), 1_u16..)
                .prop_map(|([a, b, c, d], port)| { format!("{a}.{b}.{c}.{d}:{port}") }),
            any::<[u16; 8]>().prop_map(|parts| std::net::Ipv6Addr::from(parts).to_string()),
            (any::<[u16; 8]>(), 1_u16..).prop_map(|(parts, port)| {
                format!("[{}]:{port}", std::net::Ipv6Addr::from(parts))
            }),
            "[a-z][a-z0-9]{2,10}\\.example\\.com(:[0-9]{2,5})?",
            (1970_i16..2100, 1_i8..=12, 1_i8..=28, 0_i8..24, 0_i8..60, 0_i8..60).prop_map(
                |(y, mo, d, h, mi, s)| {
                    format!("{y}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}.{:03}Z", i32::from(s) * 7)
                }
            ),
            (1_i8..=28, prop::sample::select(vec!["Jan", "Sep", "Dec"]), 1970_i16..2100)
                .prop_map(|(day, month, year)| format!("Tue, {day:02} {month} {year} 10:11:12")),
        ]
    }

    proptest! {
        #[test]
        fn every_kind_of_thing_that_varies_leaves_the_same_text(a in varying(), b in varying()) {
            let sentence = |thing: &str| format!("the answer had {thing} in its middle");
            prop_assert_eq!(normal(&sentence(&a)), normal(&sentence(&b)));
            prop_assert_eq!(normal(&sentence(&a)), "the answer had # in its middle");
        }

        #[test]
        fn quoted_values_leave_the_same_text(a in "[^\"\\\\\n]{0,40}", b in "[^\"\\\\\n]{0,40}") {
            let sentence = |value: &str| format!("got \"{value}\" instead");
            prop_assert_eq!(normal(&sentence(&a)), normal(&sentence(&b)));
        }

        #[test]
        fn routes_keep_their_shape(id in prop_oneof![
            "[0-9]{1,12}", "[0-9a-f]{7,40}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-7][0-9A-HJKMNP-TV-Z]{25}",
        ], port in 1_u16.., query in "[a-z]{1,5}=[a-z0-9]{1,9}") {
            let url = format!("GET https://h{port}.example.com:{port}/api/messages/{id}/parts?{query} failed");
            prop_assert_eq!(normal(&url), "get /api/messages/{id}/parts failed");
            let path = format!("GET /api/messages/{id}/parts failed");
            prop_assert_eq!(normal(&path), "get /api/messages/{id}/parts failed");
        }

        #[test]
        fn codes_stay(code in prop_oneof![100_u16..600, 1000_u16..5000]) {
            prop_assert_eq!(normal(&format!("got status {code}")), format!("got status {code}"));
            prop_assert_eq!(normal(&format!("closed with {code}")), format!("closed with {code}"));
        }

        #[test]
        fn white_space_and_case_do_not_count(words in prop::collection::vec("[a-z]{1,8}", 1..8)) {
            let plain = words.join(" ");
            let wild = words.join(" \t\n ").to_uppercase();
            prop_assert_eq!(normal(&plain), normal(&wild));
        }

        #[test]
        fn a_normal_text_stays_as_it_is(parts in prop::collection::vec(prop_oneof![
            varying(),
            "[a-z]{1,9}",
            "(GET|POST) /[a-z]{1,9}/[0-9]{1,9}",
            "\"[ -!#-\\[\\]-~]{0,20}\"",
            "\\{\"[a-z]{1,5}\": [0-9]{1,5}\\}",
            "status [1-5][0-9]{2}",
        ], 0..8)) {
            let once = normal(&parts.join(" "));
            prop_assert_eq!(normal(&once), once);
        }

        #[test]
        fn any_text_at_all(text in any::<String>()) {
            normal(&text);
        }
    }
}
