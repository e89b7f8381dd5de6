//! One case in the JSON form of a cycle: its outcome, its failure, what its attempts saw.
//!
//! Only the form: what stands in it is filled in by [`super::build`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CycleRefJson, Text};
use crate::domain::failure::FailureClass;
use crate::domain::outcome::{Change, Outcome};

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseJson<'a> {
    /// Its identity.
    pub id: Text<'a>,
    /// For people.
    pub name: Text<'a>,
    /// Groups the report.
    pub area: Option<Text<'a>>,
    /// `P1` … `P6`; `null` for a removed case.
    pub priority: Option<String>,
    /// Who looks after it.
    pub owner: Option<Text<'a>>,
    /// Its outcome; `null` for a removed case and while the cycle runs.
    #[schemars(extend("enum" = words_or_null!(Outcome)))]
    pub outcome: Option<Text<'a>>,
    /// What became of it; `null` in a cycle that is not compared.
    #[schemars(extend("enum" = words_or_null!(Change)))]
    pub change: Option<Text<'a>>,
    /// Its last known outcome before this cycle.
    #[schemars(extend("enum" = words_or_null!(Outcome)))]
    pub before: Option<Text<'a>>,
    /// The duration of its deciding attempt.
    pub duration_ms: u64,
    /// How many attempts it had.
    pub attempts: u32,
    /// The last known result that stands in for one that did not come.
    pub carried: Option<CarriedJson<'a>>,
    /// Whether its definition changed since its last known result.
    pub definition_changed: bool,
    /// Why it did not run.
    pub not_run_reason: Option<String>,
    /// Its quarantine.
    pub quarantine: Option<QuarantineJson<'a>>,
    /// Why it is failing.
    pub failure: Option<FailureJson<'a>>,
    /// What its deciding attempt saw.
    pub evidence: Option<EvidenceJson<'a>>,
    /// The last cycle in which it passed, for a failing case.
    pub last_good: Option<CycleRefJson<'a>>,
    /// The first cycle of this series of failures.
    pub first_failing: Option<CycleRefJson<'a>>,
    /// How often it was flaky.
    pub flaky_rate: Option<FlakyRateJson>,
    /// A duration that its history does not explain.
    pub slower: Option<SlowerJson>,
}

/// A known result of an earlier cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CarriedJson<'a> {
    /// Which cycle.
    pub cycle: u32,
    /// Its revision.
    pub revision: Text<'a>,
    /// What it was.
    #[schemars(extend("enum" = words_of!(Outcome)))]
    pub outcome: Text<'a>,
}

/// A quarantine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantineJson<'a> {
    /// Who sees to it.
    pub owner: Text<'a>,
    /// Why.
    pub reason: Text<'a>,
    /// Its last day.
    #[schemars(extend("format" = "date"))]
    pub until: String,
    /// Whether that day had passed.
    pub expired: bool,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureJson<'a> {
    /// The class.
    #[schemars(extend("enum" = words_of!(FailureClass)))]
    pub class: Text<'a>,
    /// One sentence.
    pub message: Text<'a>,
    /// The step.
    pub step: Option<Text<'a>>,
    /// What was compared.
    pub subject: Option<Text<'a>>,
    /// What was expected.
    pub expected: Option<Text<'a>>,
    /// What came.
    pub actual: Option<Text<'a>>,
    /// What identifies it beyond its varying parts.
    pub fingerprint: Option<Text<'a>>,
    /// A command that repeats it by hand.
    pub repro: Option<Text<'a>>,
}

/// What an attempt saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceJson<'a> {
    /// The address that answered.
    pub remote: Option<Text<'a>>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The code with which a socket was closed.
    pub close_code: Option<u16>,
    /// Bytes received.
    pub bytes: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Connections opened.
    pub connections: u32,
    /// Exchanges made.
    pub exchanges: u32,
    /// Expected events, where the case expects some.
    pub events: Option<EventsJson<'a>>,
}

/// Expected events over all steps of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventsJson<'a> {
    /// How many were expected.
    pub expected: usize,
    /// How many of them came.
    pub came: usize,
    /// Those that did not.
    pub missing: Vec<Text<'a>>,
    /// Forbidden ones that came.
    pub forbidden: Vec<Text<'a>>,
    /// Whether some came in another order.
    pub out_of_order: bool,
}

/// How often a case was flaky.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlakyRateJson {
    /// Flaky runs.
    pub flaky: u32,
    /// Runs looked at.
    pub of: u32,
}

/// A duration that history does not explain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlowerJson {
    /// The median of earlier passes.
    pub median_ms: u64,
    /// The slowest of them.
    pub max_ms: u64,
    /// How many.
    pub samples: u32,
    /// How many of the latest passes are held against them; `null` where that was not tested.
    #[serde(default)]
    pub runs: Option<u32>,
    /// The median of those.
    #[serde(default)]
    pub now_ms: Option<u64>,
    /// The chance that they rank so high by chance alone (Mann and Whitney, one-sided, exact).
    #[serde(default)]
    pub p: Option<f64>,
}
