//! Files that were cut or garbled: no reader panics, makes up cases, or calls what was cut whole.
//!
//! What it must not do: be part of the program. It is tests only.

use proptest::prelude::*;

use super::case::{Reading, ReportedCase};
use super::error::Unreadable;
use super::{ctrf, go, libtest, playwright, tap};

const TAP: &str = "TAP version 13
# Subtest: cart
    # Subtest: total
    ok 1 - total
      ---
      duration_ms: 0.7
      ...
    not ok 2 - slug # time=1.5ms
      ---
      error: |-
        Expected values
        not ok 9 - nope
      ...
    1..2
not ok 1 - cart
ok 2 - braces {
    1..2
    ok 1 - inner # SKIP no db
    not ok 2 - later # TODO
}
not ok 3 - raw
    ---
    message: \"boom
line two\"
    ...
# Failed test
ok 4
1..4
";

const GO: &str = r#"go: downloading example.com/dep
{"Time":"2026-11-23T16:28:27.7Z","Action":"run","Package":"p","Test":"T"}
{"Action":"output","Package":"p","Test":"T","Output":"    a_test.go:6: Slug = \"x\"\n"}
{"Action":"run","Package":"p","Test":"T/sub"}
{"Action":"fail","Package":"p","Test":"T/sub","Elapsed":0.1}
{"Action":"fail","Package":"p","Test":"T","Elapsed":0.2}
{"Action":"skip","Package":"p","Test":"S"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.3s\n"}
{"Action":"fail","Package":"p","Elapsed":0.3}
FAIL	q [build failed]
"#;

const LIBTEST: &str = "     Running unittests src/lib.rs (target/debug/deps/shop-886b0ca78d498659)

running 4 tests
test a::ignored ... ignored, not today
test a::good ... ok
test a::bad ... FAILED
test a::noisy ... said
FAILED

failures:

---- a::bad stdout ----

thread 'a::bad' (7) panicked at src/lib.rs:14:31:
no
failures:
    a::bad
    a::noisy

test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out

";

const EVENTS: &str = r#"{ "type": "suite", "event": "started", "test_count": 3 }
{ "type": "test", "event": "started", "name": "shop::it$good" }
{ "type": "test", "event": "started", "name": "bad" }
{ "type": "test", "event": "ok", "name": "shop::it$good#2", "exec_time": 0.25 }
{ "type": "test", "event": "failed", "name": "bad", "stdout": "no\n" }
{ "type": "test", "event": "ignored", "name": "later" }
{ "type": "suite", "event": "failed", "passed": 1, "failed": 1, "ignored": 1 }
"#;

const CTRF: &str = r#"{"results":{"tool":{"name":"x"},"summary":{"tests":3,"passed":1,"failed":1},"tests":[
{"name":"a","status":"passed","duration":2,"suite":["s","t"],"filePath":"a.js","extra":{"b":[1,{}]}},
{"name":"b \u00e9","status":"failed","message":"no\nno","trace":"at x","retries":1,"suite":"s > t"},
{"name":"c","status":"passed","flaky":true,"retryAttempts":[{"attempt":1,"status":"failed","message":"m"}]}
]}}"#;

const PLAYWRIGHT: &str = r#"{"config":{"a":[1]},"suites":[{"title":"a.spec.js","specs":[
{"title":"one","tests":[{"projectName":"chromium","status":"expected","results":[{"status":"passed","duration":5}]},
{"projectName":"firefox","status":"flaky","results":[{"status":"failed","errors":[{"message":"no"}]},{"status":"passed"}]}]}],
"suites":[{"title":"group","specs":[{"title":"two","tests":[{"status":"unexpected","results":[]}]}],"suites":[]}]}],
"errors":[{"message":"outside"}],"stats":{"expected":1,"unexpected":1,"flaky":1,"skipped":0}}"#;

/// A reader with a file of its format.
#[derive(Debug, Clone, Copy)]
enum Sample {
    Tap,
    Go,
    Libtest,
    Events,
    Ctrf,
    Playwright,
}

impl Sample {
    const ALL: [Sample; 6] =
        [Self::Tap, Self::Go, Self::Libtest, Self::Events, Self::Ctrf, Self::Playwright];

    fn text(self) -> &'static str {
        match self {
            Self::Tap => TAP,
            Self::Go => GO,
            Self::Libtest => LIBTEST,
            Self::Events => EVENTS,
            Self::Ctrf => CTRF,
            Self::Playwright => PLAYWRIGHT,
        }
    }

    fn read(self, mut bytes: &[u8]) -> (Vec<ReportedCase>, Result<Reading, Unreadable>) {
        let mut cases = Vec::new();
        let reading = match self {
            Self::Tap => tap::read(&mut bytes, &mut cases),
            Self::Go => go::read(&mut bytes, &mut cases),
            Self::Libtest | Self::Events => libtest::read(&mut bytes, &mut cases),
            Self::Ctrf => ctrf::read(&mut bytes, &mut cases),
            Self::Playwright => playwright::read(&mut bytes, &mut cases),
        };
        (cases, reading)
    }
}

#[test]
fn the_samples_are_whole() {
    for (sample, expected) in Sample::ALL.into_iter().zip([6, 3, 4, 3, 3, 3]) {
        let (cases, reading) = sample.read(sample.text().as_bytes());
        let reading = reading.unwrap();
        assert_eq!(cases.len(), expected, "{sample:?}: {cases:#?}");
        assert!(reading.complete, "{sample:?}: {:?}", reading.warnings);
        assert_eq!(reading.cases, cases.len() as u64);
    }
}

#[test]
fn a_cut_file_has_no_more_cases_and_is_not_whole() {
    for sample in Sample::ALL {
        let text = sample.text().as_bytes();
        let whole = sample.read(text).0.len();
        for cut in 0..text.len() {
            let (cases, reading) = sample.read(&text[..cut]);
            let told = String::from_utf8_lossy(&text[..cut]);
            assert!(cases.len() <= whole, "{sample:?}: {told}");
            let Ok(reading) = reading else {
                assert!(cases.is_empty(), "{sample:?}: {told}");
                continue;
            };
            // All that counts may be there, and only the end of the last line be missing.
            assert!(!reading.complete || cases.len() == whole, "{sample:?}: {told}");
        }
    }
}

proptest! {
    #[test]
    fn a_garbled_file_is_read_as_far_as_it_goes(
        sample in prop::sample::select(&Sample::ALL[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        doubled in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let mut bytes = sample.text().as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (from, to) = (doubled.0.index(bytes.len()), doubled.1.index(bytes.len()));
        let piece = bytes[from.min(to)..from.max(to)].to_vec();
        bytes.splice(from..from, piece);
        let (cases, reading) = sample.read(&bytes);
        if let Ok(reading) = reading {
            prop_assert_eq!(reading.cases, cases.len() as u64);
        }
    }

    #[test]
    fn any_bytes_will_do(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for sample in Sample::ALL {
            let _ = sample.read(&bytes);
        }
    }
}
