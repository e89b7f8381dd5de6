//! Events of the suite: its plan, and how it ended.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::names::CaseId;
use crate::domain::outcome::{Phase, words};
use crate::domain::spec::{FlakyPolicy, Priority, SuspiciousPolicy};

/// The suite is about to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuitePlanned {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// Every planned case, in order.
    pub cases: Vec<PlannedCase>,
    /// The number of cases that the pipeline expects.
    #[serde(default)]
    pub expected_cases: Option<u32>,
    /// What a flaky case means.
    pub flaky: FlakyPolicy,
    /// What a pass that looks too good means.
    pub suspicious: SuspiciousPolicy,
    /// When the suite must be over.
    pub deadline_at: Timestamp,
}

/// A case that this cycle should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCase {
    /// Its identity.
    pub id: CaseId,
    /// Earlier ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub was: Vec<CaseId>,
    /// For people.
    pub name: String,
    /// Groups the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// Who looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it means for the business when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// The digest of what it does. What becomes of the case is remembered with it, so it is shared.
    pub digest: Arc<str>,
    /// Its quarantine, where it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantined>,
    /// What its steps wait for on sockets and streams, in the order of the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<PlannedEvents>,
    /// The command that runs it; `None` for a native case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Arc<str>>,
}

/// The events that a step of a planned case waits for, as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedEvents {
    /// The step.
    pub step: String,
    /// The events that must come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<String>,
    /// The events that must not come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub none: Vec<String>,
}

impl PlannedCase {
    /// Whether its outcome decides the verdict.
    pub fn decides(&self) -> bool {
        self.quarantine.as_ref().is_none_or(|quarantine| quarantine.expired)
    }
}

/// The quarantine of a planned case, as it stood when the suite began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Who sees to it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Its last day.
    pub until: jiff::civil::Date,
    /// Whether that day had passed: then the case decides the verdict again.
    pub expired: bool,
}

/// Why a suite ended before all its cases had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// Its deadline.
    Timeout,
    /// A person or a signal.
    Cancelled,
    /// The process died and could not take it up again.
    Interrupted,
}

words!(StoppedBy { Timeout => "timeout", Cancelled => "cancelled", Interrupted => "interrupted" });

/// Why a planned case did not run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum NotRunReason {
    /// The suite's deadline came first.
    Timeout {
        /// How long its attempt had been running by then; `None` where it had not begun.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        running_ms: Option<u64>,
    },
    /// The suite was cancelled first.
    Cancelled,
    /// The process died before its attempt was final.
    Interrupted,
    /// The suite never began: the cycle ended in an earlier phase.
    NotReached {
        /// That phase.
        phase: Phase,
    },
    /// A case that it needs is failing or did not run.
    BlockedBy {
        /// That case. Stored under a name that [`NotRun`] does not use: the two are one object there.
        #[serde(rename = "blocked_by")]
        case: CaseId,
    },
    /// The command that should have run it said nothing about it.
    NotReported {
        /// The command.
        command: String,
        /// How that ended, as `exit 0`.
        end: String,
    },
    /// It is a kind of test that the version of that time did not run.
    NotSupported {
        /// What kind.
        what: String,
    },
}

impl std::fmt::Display for NotRunReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Timeout { running_ms: None } => f.write_str("the suite's time was over"),
            Self::Timeout { running_ms: Some(ms) } => {
                let (seconds, tenth) = (ms / 1_000, ms % 1_000 / 100);
                write!(f, "was running for {seconds}.{tenth} s when the suite's time was over")
            }
            Self::Cancelled => f.write_str("the suite was cancelled"),
            Self::Interrupted => f.write_str("the process died before its result was final"),
            Self::NotReached { phase } => write!(f, "the cycle ended in its {phase} phase"),
            Self::BlockedBy { case } => write!(f, "blocked by {case}"),
            Self::NotReported { command, end } => {
                write!(f, "{command} did not report it ({end})")
            }
            Self::NotSupported { what } => write!(f, "this version does not run {what}"),
        }
    }
}

/// A planned case that did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRun {
    /// The case.
    pub case: CaseId,
    /// Why.
    #[serde(flatten)]
    pub reason: NotRunReason,
}

/// The suite is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteEnded {
    /// Why it ended early; `None` when it came to its end.
    pub stopped_by: Option<StoppedBy>,
    /// Planned cases that did not run.
    #[serde(default)]
    pub not_run: Vec<NotRun>,
    /// Why setup steps failed, one sentence each.
    #[serde(default)]
    pub setup_failures: Vec<String>,
    /// Why teardown steps failed, one sentence each.
    #[serde(default)]
    pub teardown_failures: Vec<String>,
    /// Why failing cases were not tried again, when the outage rule forbade it.
    #[serde(default)]
    pub retries_withheld: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn why_a_case_did_not_run_is_read_as_it_was_written() {
        let case = |id| CaseId::parse(id).unwrap();
        let reasons = [
            NotRunReason::Timeout { running_ms: None },
            NotRunReason::Timeout { running_ms: Some(2_900) },
            NotRunReason::Cancelled,
            NotRunReason::Interrupted,
            NotRunReason::NotReached { phase: Phase::Deploy },
            NotRunReason::BlockedBy { case: case("login") },
            NotRunReason::NotReported { command: "pytest".to_owned(), end: "exit 3".to_owned() },
            NotRunReason::NotSupported { what: "suite commands".to_owned() },
        ];
        for reason in reasons {
            let written = NotRun { case: case("cart"), reason };
            let text = serde_json::to_string(&written).unwrap();
            assert_eq!(serde_json::from_str::<NotRun>(&text).unwrap(), written, "{text}");
        }
        let earlier: NotRun = serde_json::from_str(r#"{"case":"cart","why":"timeout"}"#).unwrap();
        assert_eq!(earlier.reason, NotRunReason::Timeout { running_ms: None });
    }
}
