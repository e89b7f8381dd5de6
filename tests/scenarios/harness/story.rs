//! `story.yaml` as it is written: what happens, step by step, and what must be true after each.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::support::Behaviour;

/// A story.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Story {
    /// What it shows, as a sentence.
    pub(crate) title: String,
    /// The rows of the page on how such loops went wrong that it stands for; may be empty.
    pub(crate) origin: Vec<u32>,
    /// The cycle whose report stands in `report.md`; the last one when absent.
    #[serde(default)]
    pub(crate) report_of: Option<u32>,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Somebody commits.
    Commit(Commit),
    /// `andon run --json pipeline.yaml`; `@first` in its arguments stands for the first commit.
    Run(Run),
    /// Several runs at once.
    Together(Vec<Run>),
    /// Another command.
    Andon(Andon),
    /// Somebody edits a file of the working directory.
    Edit(Edit),
    /// A file must look so.
    File(FileCheck),
    /// These must not exist.
    Absent(Vec<String>),
    /// No process whose id stands in this file may live.
    Gone(String),
    /// Paths must have been asked for so often.
    Requests(BTreeMap<String, u64>),
    /// A variable of the environment changes.
    Env(BTreeMap<String, String>),
}

/// A commit. The deploy script and the staging's behaviour stay as they are where it says nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commit {
    pub(crate) subject: String,
    /// What the staging answers with this revision.
    #[serde(default)]
    pub(crate) stage: Option<Behaviour>,
    /// Settings of the bundled service, when that is the staging.
    #[serde(default)]
    pub(crate) service: Option<Value>,
    /// The text of `deploy.sh`.
    #[serde(default)]
    pub(crate) deploy: Option<String>,
    /// Other files that it changes.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
}

/// A run and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    #[serde(default = "pipeline")]
    pub(crate) pipeline: String,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    pub(crate) exit: i32,
    #[serde(default)]
    pub(crate) verdict: Option<String>,
    /// JSON paths of the cycle, and what each must be.
    #[serde(default)]
    pub(crate) json: BTreeMap<String, Value>,
    /// What the report must say.
    #[serde(default)]
    pub(crate) report: Says,
    /// What must stand on standard error.
    #[serde(default)]
    pub(crate) stderr: Says,
}

fn pipeline() -> String {
    "pipeline.yaml".to_owned()
}

/// Pieces of a text.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Says {
    /// These stand in it.
    #[serde(default)]
    pub(crate) has: Vec<String>,
    /// These do not.
    #[serde(default)]
    pub(crate) lacks: Vec<String>,
}

/// Another command and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Andon {
    pub(crate) args: Vec<String>,
    pub(crate) exit: i32,
    #[serde(default)]
    pub(crate) out: Says,
    #[serde(default)]
    pub(crate) json: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) stderr: Says,
}

/// An edit: a text once replaced, or a new file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// `*` stands for the rest of a name.
    pub(crate) file: String,
    /// Must stand in it; everything when absent.
    #[serde(default)]
    pub(crate) replace: Option<String>,
    pub(crate) with: String,
}

/// What a file must look like.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileCheck {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) has: Vec<String>,
    #[serde(default)]
    pub(crate) lacks: Vec<String>,
    #[serde(default)]
    pub(crate) lines: Option<usize>,
}
