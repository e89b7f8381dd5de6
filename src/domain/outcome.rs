//! The closed sets of words in which Andon speaks (SPEC sections 1, 5, 6).

use serde::{Deserialize, Serialize};

/// Gives an enum of unit variants its word in the contract, in both directions.
macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order in which reports list them.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word of the contract.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The value with that word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

/// What became of a case in one cycle. Every planned case ends in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The service is wrong: an expectation did not hold.
    Failed,
    /// We could not measure: a broken fixture, a crash of the test tool, a fault of our own.
    Errored,
    /// Planned, but never executed.
    NotRun,
    /// Passed only after a failed attempt.
    Flaky,
    /// The suite says that it does not apply.
    Skipped,
    /// Every expectation held at the first attempt.
    Passed,
}

words!(Outcome {
    Failed => "failed", Errored => "errored", NotRun => "not_run",
    Flaky => "flaky", Skipped => "skipped", Passed => "passed",
});

impl Outcome {
    /// `failed` or `errored`.
    pub fn is_failing(self) -> bool {
        match self {
            Self::Failed | Self::Errored => true,
            Self::NotRun | Self::Flaky | Self::Skipped | Self::Passed => false,
        }
    }

    /// Whether it tells something about the service: anything but `not_run` and `skipped`.
    pub fn is_known(self) -> bool {
        match self {
            Self::Failed | Self::Errored | Self::Flaky | Self::Passed => true,
            Self::NotRun | Self::Skipped => false,
        }
    }
}

/// What became of a case since its last known result (the table of SPEC section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Passed before, failing now.
    Regressed,
    /// Never seen before, failing now.
    NewFailing,
    /// Failing before and now, for another reason.
    ChangedFailure,
    /// Failing before and now, with the same fingerprint.
    StillFailing,
    /// Failing before, passes now.
    Fixed,
    /// Did not run; its last known result is carried.
    NotRun,
    /// The suite skipped it.
    Skipped,
    /// No longer planned or reported.
    Removed,
    /// Never seen before, passes.
    NewPassing,
    /// Passed before and now.
    StillPassing,
}

words!(Change {
    Regressed => "regressed", NewFailing => "new_failing", ChangedFailure => "changed_failure",
    StillFailing => "still_failing", Fixed => "fixed", NotRun => "not_run", Skipped => "skipped",
    Removed => "removed", NewPassing => "new_passing", StillPassing => "still_passing",
});

/// The verdict of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every planned case passed, or was flaky (where that is allowed) or skipped.
    Green,
    /// A case that decides the verdict is failing.
    Red,
    /// None is failing, but some did not run.
    Incomplete,
    /// The results say nothing about the revision; never a baseline.
    Void,
    /// A deploy step failed.
    DeployFailed,
    /// The environment never served the revision in time.
    NotReady,
    /// A newer commit took its place before it began.
    Superseded,
    /// A person ended it.
    Cancelled,
}

words!(Verdict {
    Green => "green", Red => "red", Incomplete => "incomplete", Void => "void",
    DeployFailed => "deploy_failed", NotReady => "not_ready", Superseded => "superseded",
    Cancelled => "cancelled",
});

impl Verdict {
    /// Whether the suite's results count: such a cycle can be a baseline.
    pub fn has_valid_suite(self) -> bool {
        match self {
            Self::Green | Self::Red | Self::Incomplete => true,
            Self::Void
            | Self::DeployFailed
            | Self::NotReady
            | Self::Superseded
            | Self::Cancelled => false,
        }
    }
}

/// Why a cycle is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// A surface served another revision during or after the suite than before it.
    RevisionChanged,
    /// A control failed: our own network, or a thing that must work whatever we deployed.
    ControlFailed,
    /// The number of planned cases is not `expected_cases`.
    SuiteChanged,
    /// Nothing ran.
    NoResults,
}

words!(VoidReason {
    RevisionChanged => "revision_changed", ControlFailed => "control_failed",
    SuiteChanged => "suite_changed", NoResults => "no_results",
});

/// Why a cycle started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    /// A branch moved, seen by a poll.
    Commit,
    /// A branch moved, hinted by a webhook.
    Webhook,
    /// A schedule was due.
    Schedule,
    /// A person asked.
    Manual,
    /// The loop goes on.
    Retry,
    /// A culprit search deploys an older commit.
    Culprit,
}

words!(TriggerKind {
    Commit => "commit", Webhook => "webhook", Schedule => "schedule", Manual => "manual",
    Retry => "retry", Culprit => "culprit",
});

/// Why a cycle started, with the detail for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The kind.
    pub kind: TriggerKind,
    /// One phrase, as `main moved to 4f1c2aa`.
    pub detail: String,
}

/// One part of a cycle, in the order of SPEC section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waits for its turn.
    Queued,
    /// Resolves the revision and lays its files out.
    Checkout,
    /// Runs the deploy steps.
    Deploy,
    /// Waits until every surface serves the revision and every check holds.
    Ready,
    /// Runs the cases.
    Suite,
    /// Compares with the baseline.
    Diff,
    /// Goes back to the last green revision, where the pipeline asks for that after such a verdict.
    Rollback,
    /// Writes the report.
    Report,
    /// Tells whoever wants to know.
    Notify,
    /// Done.
    Finished,
}

words!(Phase {
    Queued => "queued", Checkout => "checkout", Deploy => "deploy", Ready => "ready",
    Suite => "suite", Diff => "diff", Rollback => "rollback", Report => "report", Notify => "notify",
    Finished => "finished",
});

/// How a phase, a deploy step or a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseOutcome {
    /// It did what it should.
    Passed,
    /// It ran and did not do what it should.
    Failed,
    /// It was left out on purpose.
    Skipped,
    /// It was ended at its deadline.
    TimedOut,
    /// A person ended it.
    Cancelled,
    /// Nobody saw its end.
    Interrupted,
    /// A fault of our own, never of the service.
    Errored,
}

words!(PhaseOutcome {
    Passed => "passed", Failed => "failed", Skipped => "skipped", TimedOut => "timed_out",
    Cancelled => "cancelled", Interrupted => "interrupted", Errored => "errored",
});

impl PhaseOutcome {
    /// Whether the cycle goes on after it.
    pub fn went_well(self) -> bool {
        match self {
            Self::Passed | Self::Skipped => true,
            Self::Failed | Self::TimedOut | Self::Cancelled | Self::Interrupted | Self::Errored => {
                false
            }
        }
    }
}

/// Why something changed, as far as the records allow (SPEC section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The revision changed.
    Code,
    /// The case's own definition changed.
    Suite,
    /// The pipeline, its vars or its deploy steps changed.
    Config,
    /// Nothing of ours changed, yet a result did.
    Environment,
    /// Both results were seen on one revision.
    Flake,
    /// The records do not tell: there is no earlier result to compare with.
    Unknown,
}

words!(Cause {
    Code => "code", Suite => "suite", Config => "config", Environment => "environment",
    Flake => "flake", Unknown => "unknown",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_text_and_in_json() {
        fn same<T: Copy + Serialize>(all: &[T], word: fn(T) -> &'static str) {
            for value in all {
                let json = serde_json::to_value(value).ok();
                assert_eq!(json, Some(serde_json::Value::from(word(*value))));
            }
        }
        same(Outcome::ALL, Outcome::as_str);
        same(Change::ALL, Change::as_str);
        same(Verdict::ALL, Verdict::as_str);
        same(VoidReason::ALL, VoidReason::as_str);
        same(TriggerKind::ALL, TriggerKind::as_str);
        same(Phase::ALL, Phase::as_str);
        same(PhaseOutcome::ALL, PhaseOutcome::as_str);
        same(Cause::ALL, Cause::as_str);
    }
}
