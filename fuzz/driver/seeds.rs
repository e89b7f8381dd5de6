//! The targets, what they start from, and the words that their formats are made of.

use std::path::Path;

use andon::ingest::Format;
use serde_json::Value;

/// Larger files of the corpus have nothing in them that these have not.
const LARGEST: u64 = 8 << 10;

/// A reader to be fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub format: Option<Format>,
    /// The formats of the corpus that it starts from; all of them where there is none.
    corpus: &'static [&'static str],
    pub words: &'static [&'static str],
}

const XML: &[&str] = &[
    "<testsuites>",
    "<testsuite name=\"a\" tests=\"9\">",
    "<testcase name=\"a\" classname=\"b\" time=\"1\"/>",
    "<testcase name=\"a\">",
    "</testcase>",
    "</testsuite>",
    "</testsuites>",
    "<failure message=\"m\">",
    "</failure>",
    "<error/>",
    "<skipped/>",
    "<system-out>",
    "</system-out>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version=\"1.0\"?>",
    "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
    "&#x10ffff;",
    "&#0;",
    "&lt;",
    "&a;",
    "<!DOCTYPE a [<!ENTITY a \"b\">]>",
    "<rerunFailure>",
    "<flakyFailure message=\"m\"/>",
    "'",
    "\"",
    "\u{feff}",
    "\0",
    "\n",
];
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "1e999",
    "-0",
    "99999999999999999999",
    "\n",
];
const CTRF: &[&str] = &[
    "{\"results\":{\"tests\":[",
    "{\"name\":\"a\",\"status\":\"passed\"},",
    "\"status\":\"failed\"",
    "\"retries\":",
    "\"suite\":",
    "\"retryAttempts\":[",
    "\"flaky\":true",
    "\"summary\":{\"tests\":9}",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "\\ud800",
    "1e999",
    "null",
];
const PLAYWRIGHT: &[&str] = &[
    "{\"suites\":[",
    "{\"title\":\"a\",\"specs\":[",
    "\"tests\":[",
    "\"results\":[",
    "\"status\":\"expected\"",
    "\"suites\":[",
    "\"errors\":[",
    "\"projectName\":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "\\ud800",
    "1e999",
    "null",
];
const TAP: &[&str] = &[
    "ok 1 - a\n",
    "not ok 2\n",
    "1..0 # SKIP\n",
    "1..3\n",
    "TAP version 14\n",
    "    ",
    "  ---\n",
    "  ...\n",
    "# Subtest: a\n",
    " # SKIP",
    " # TODO",
    "Bail out!\n",
    " {\n",
    "}\n",
    "pragma +strict\n",
    "\\#",
    "\r\n",
    "\t",
    "1..99999999999999999999\n",
];
const GO: &[&str] = &[
    "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n",
    "{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\"}\n",
    "{\"Action\":\"fail\",\"Package\":\"p\"}\n",
    "{\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"x\\n\"}\n",
    "FAIL\tp [build failed]\n",
    "\"Elapsed\":1e999",
    "/",
    "{",
    "}",
    "\"",
    "\n",
];
const LIBTEST: &[&str] = &[
    "running 3 tests\n",
    "test a ... ok\n",
    "test b ... FAILED\n",
    "test c ... ignored, why\n",
    "test result: ok. 1 passed;\n",
    "failures:\n",
    "---- a stdout ----\n",
    "\nfailures:\n    a\n",
    "{ \"type\": \"test\", \"event\": \"ok\", \"name\": \"a\" }\n",
    " ... ",
    "\n",
    "ok",
    "{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 3 }\n",
];

impl Target {
    pub const ALL: [Target; 7] = [
        Self::of("junit", Some(Format::Junit), &["junit-xml"], XML),
        Self::of("tap", Some(Format::Tap), &["tap"], TAP),
        Self::of("go", Some(Format::Go), &["go-test-json"], GO),
        Self::of("libtest", Some(Format::Libtest), &["libtest-text", "libtest-json"], LIBTEST),
        Self::of("ctrf", Some(Format::Ctrf), &["ctrf"], CTRF),
        Self::of("playwright", Some(Format::Playwright), &["playwright-json"], PLAYWRIGHT),
        Self::of("auto", None, &[], JSON),
    ];

    const fn of(
        name: &'static str,
        format: Option<Format>,
        corpus: &'static [&'static str],
        words: &'static [&'static str],
    ) -> Self {
        Self { name, format, corpus, words }
    }

    /// The files of the corpus of results that are of its formats, and those of `fuzz/corpus`.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let corpus = root.join("tests/data/corpus");
        let index = std::fs::read_to_string(corpus.join("MANIFEST.json")).unwrap();
        let index: Value = serde_json::from_str(&index).unwrap();
        let files = index["files"].as_array().unwrap().iter().filter(|file| {
            let format = file["format"].as_str().unwrap();
            let wanted = self.corpus.is_empty() || self.corpus.contains(&format);
            wanted && file["bytes"].as_u64().is_some_and(|bytes| bytes <= LARGEST)
        });
        let mut seeds: Vec<Vec<u8>> = files
            .map(|file| std::fs::read(corpus.join(file["path"].as_str().unwrap())).unwrap())
            .collect();
        let mut own: Vec<_> = std::fs::read_dir(root.join("fuzz/corpus").join(self.name))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .collect();
        own.sort();
        seeds.extend(own.into_iter().map(|path| std::fs::read(path).unwrap()));
        seeds
    }
}
