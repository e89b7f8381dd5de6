//! What clients send to have something done, and what they get back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StartRequest")]
#[serde(deny_unknown_fields)]
pub struct StartForm {
    /// Branch, tag or commit to deploy; without it the newest commit of the watched branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `false`: test what is there.
    #[serde(default = "yes")]
    pub deploy: bool,
    /// Run only the cases whose id matches this glob, or one of several, one a line, and those that they need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// Who asks, for the records; it gives no rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

fn yes() -> bool {
    true
}

/// What became of a request to start a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Started")]
pub struct StartedForm {
    /// The pipeline.
    pub pipeline: String,
    /// The trigger that waits, durably, for its turn.
    pub trigger: i64,
    /// The cycle that it has become since, where the key of the request was known.
    pub cycle: Option<u32>,
}

/// How a held cycle goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ResumeRequest")]
#[serde(deny_unknown_fields)]
pub struct ResumeForm {
    /// What became of its deploy: `deployed`, `failed`, or `rerun` to run it again.
    #[serde(rename = "as")]
    #[schemars(extend("enum" = ["deployed", "failed", "rerun"]))]
    pub decision: String,
    /// Who says so, for the records; it gives no rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Who asks, for the records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CancelRequest")]
#[serde(deny_unknown_fields)]
pub struct CancelForm {
    /// Who asks; it gives no rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What was done, in one sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Done")]
pub struct DoneForm {
    /// The sentence.
    pub done: String,
}

/// What a hook led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HookAnswer")]
pub struct HookForm {
    /// The pipelines whose repository is looked at now.
    pub pipelines: Vec<String>,
    /// Why none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
