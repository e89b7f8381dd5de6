//! The corpus: its index, its records, and its files.

use std::path::PathBuf;

use serde::Deserialize;

/// One file of the index.
#[derive(Debug, Clone, Deserialize)]
pub struct Listed {
    pub path: String,
    pub format: String,
    pub expect: String,
    pub expected: String,
}

impl Listed {
    /// What is in it.
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(root().join(&self.path)).unwrap()
    }

    /// What should be found in it.
    pub fn record(&self) -> Record {
        let text = std::fs::read_to_string(root().join(&self.expected)).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", self.expected))
    }
}

/// Status, suite, classname, name.
pub type Case = (String, Option<Vec<String>>, Option<String>, Option<String>);

/// What is expected of a file; `README.md` of the corpus says what each field means.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    pub totals: Option<Totals>,
    pub totals_by_identity_worst: Option<Totals>,
    pub totals_by_identity_last: Option<Totals>,
    pub verdict: Option<String>,
    pub failed: Option<Vec<Failed>>,
    pub cases: Option<Vec<Case>>,
    pub suite_errors: Option<Vec<SuiteError>>,
    pub case_times: Option<Vec<Option<f64>>>,
    pub complete: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Totals {
    pub tests: u64,
    pub passed: u64,
    pub failed: u64,
    pub errored: u64,
    pub skipped: u64,
    pub flaky: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Failed {
    pub suite: Option<Vec<String>>,
    pub classname: Option<String>,
    pub name: Option<String>,
    pub file: Option<String>,
    pub project: Option<String>,
    pub status: String,
    pub message_first_line: Option<String>,
    pub message_first_line_raw: Option<String>,
    pub problems: Option<u32>,
    pub reruns: Option<u32>,
    pub time: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct SuiteError {
    pub suite: Option<Vec<String>>,
    pub message_first_line: Option<String>,
}

/// Where it is.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus")
}

/// Its index.
pub fn listed() -> Vec<Listed> {
    #[derive(Deserialize)]
    struct Index {
        files: Vec<Listed>,
    }
    let text = std::fs::read_to_string(root().join("MANIFEST.json")).unwrap();
    let index: Index = serde_json::from_str(&text).unwrap();
    index.files
}
