//! What a command can end with: a status, or an error with an exit code and hints.

use std::fmt;

use super::output::clean;
use crate::domain::outcome::Verdict;
use crate::engine::EngineError;
use crate::store::StoreError;

/// How a command that did its work ended.
/// Later ones are worse: of several cycles the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Done, and green where that is a question.
    Green,
    /// Done, not green.
    NotGreen,
    /// A deploy failed, or the environment was never ready.
    NotDeployed,
    /// A person or a signal ended it.
    Cancelled,
}

impl Status {
    /// The exit code of SPEC section 4.
    pub fn code(self) -> u8 {
        match self {
            Self::Green => 0,
            Self::NotGreen => 1,
            Self::NotDeployed => 3,
            Self::Cancelled => 4,
        }
    }

    /// What a verdict means for whoever waits for the exit code.
    pub fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Green => Self::Green,
            Verdict::Red | Verdict::Incomplete | Verdict::Void => Self::NotGreen,
            Verdict::DeployFailed | Verdict::NotReady => Self::NotDeployed,
            Verdict::Superseded | Verdict::Cancelled => Self::Cancelled,
        }
    }
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The command line or a file.
    Usage,
    /// The environment cannot be deployed to: another cycle has it.
    NotFree,
    /// The database or the daemon cannot be reached.
    Unreachable,
    /// Andon itself.
    Defect,
}

impl Fault {
    /// The exit code of SPEC section 4.
    pub fn code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::NotFree => 3,
            Self::Unreachable => 5,
            Self::Defect => 70,
        }
    }
}

/// Why a command did not do its work.
#[derive(Debug)]
pub struct CliError {
    /// Whose fault it is.
    pub fault: Fault,
    /// What went wrong, with its causes.
    pub error: anyhow::Error,
    /// What the person can do now.
    pub hints: Vec<String>,
}

/// What commands give back.
pub type CliResult = Result<Status, CliError>;

impl CliError {
    /// The environment, or the cycle, is somebody else's now.
    pub fn not_free(text: impl fmt::Display) -> Self {
        Self { fault: Fault::NotFree, error: anyhow::anyhow!("{text}"), hints: Vec::new() }
    }

    /// Wrong usage, or an invalid file.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { fault: Fault::Usage, error: error.into(), hints: Vec::new() }
    }

    /// Wrong usage, as a text.
    pub fn usage_text(text: impl fmt::Display) -> Self {
        Self::usage(anyhow::anyhow!("{text}"))
    }

    /// A fault of ours.
    pub fn defect(error: impl Into<anyhow::Error>) -> Self {
        Self { fault: Fault::Defect, error: error.into(), hints: Vec::new() }
    }

    /// Adds what the person can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The error as it is shown: the message, then each cause, then the hints. What it quotes may
    /// come from outside, so nothing in it drives a terminal.
    pub fn render(&self) -> String {
        let mut text = format!("error: {}", quoted(&self.error.to_string()));
        for cause in self.error.chain().skip(1) {
            text.push_str(&format!("\n  because: {}", quoted(&cause.to_string())));
        }
        for hint in &self.hints {
            text.push_str(&format!("\n  help: {}", quoted(hint)));
        }
        text
    }
}

fn quoted(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n  ")
}

impl From<StoreError> for CliError {
    fn from(fault: StoreError) -> Self {
        let kind = match &fault {
            StoreError::UnknownCycle { .. } | StoreError::Expired { .. } => Fault::Usage,
            StoreError::Conflict { .. } | StoreError::Unstorable { .. } => Fault::Defect,
            StoreError::Missing { .. }
            | StoreError::Unavailable { .. }
            | StoreError::Locked
            | StoreError::NotOurs { .. }
            | StoreError::TooNew { .. }
            | StoreError::Outdated { .. }
            | StoreError::OldSqlite { .. }
            | StoreError::Replaced { .. }
            | StoreError::Gone { .. }
            | StoreError::NotWritten { .. }
            | StoreError::UnreadableEvent { .. }
            | StoreError::ReadOnly
            | StoreError::Unwritable
            | StoreError::Full
            | StoreError::Damaged { .. }
            | StoreError::DiskFailed
            | StoreError::Fenced { .. }
            | StoreError::Closed
            | StoreError::Database(_) => Fault::Unreachable,
        };
        let hints = fault.hint().map(str::to_owned).into_iter().collect();
        Self { fault: kind, error: fault.into(), hints }
    }
}

impl From<EngineError> for CliError {
    fn from(fault: EngineError) -> Self {
        match fault {
            EngineError::Store(fault) => fault.into(),
            records @ EngineError::Records { .. } => {
                let hints = records.hint().map(str::to_owned).into_iter().collect();
                Self { fault: Fault::Unreachable, error: records.into(), hints }
            }
            other => {
                let hints = other.hint().map(str::to_owned).into_iter().collect();
                Self { fault: Fault::Defect, error: other.into(), hints }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let codes: Vec<u8> = Verdict::ALL.iter().map(|v| Status::of_verdict(*v).code()).collect();
        // green, red, incomplete, void, deploy_failed, not_ready, superseded, cancelled
        assert_eq!(codes, [0, 1, 1, 1, 3, 3, 4, 4]);
        assert_eq!([Fault::Usage, Fault::Unreachable, Fault::Defect].map(Fault::code), [2, 5, 70]);
    }

    #[test]
    fn an_error_shows_its_causes_and_what_to_do() {
        let error = anyhow::anyhow!("inner").context("outer");
        let shown = CliError::usage(error).hint("try this").render();
        assert_eq!(shown, "error: outer\n  because: inner\n  help: try this");
    }

    #[test]
    fn an_error_that_quotes_hostile_text_drives_no_terminal() {
        let shown = CliError::usage_text("branch \u{1b}]0;x\u{7}\n\u{202e}evil").render();
        assert_eq!(shown, "error: branch \\u{1b}]0;x\\u{7}\n  \\u{202e}evil");
    }
}
