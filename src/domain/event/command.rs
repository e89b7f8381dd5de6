//! Events of the commands of a suite: tests that another tool runs.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PlannedCase;
use crate::domain::evidence::Excerpt;
use crate::domain::findings::Suspicious;
use crate::domain::names::CaseId;
use crate::domain::observed::Observed;
use crate::domain::outcome::{PhaseOutcome, words};

/// What a command is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandPart {
    /// It prints what it would test.
    List,
    /// It tests.
    Tests,
    /// It tests again what failed.
    Rerun,
}

words!(CommandPart { List => "list", Tests => "tests", Rerun => "rerun" });

/// Which run of which command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandRun {
    /// The command's name.
    pub command: Arc<str>,
    /// What for.
    pub part: CommandPart,
    /// 1, or more for each rerun.
    pub attempt: u32,
    /// The shard, from 1; `None` where the command runs as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
}

/// A command is about to start: durable before it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandStarted {
    /// Which run.
    pub run: CommandRun,
    /// When its process tree will be ended.
    pub deadline_at: Timestamp,
    /// The folder of this run, relative to the state folder: its supervisor's and its results'.
    pub dir: String,
    /// The port on loopback of the proxy that observes it. Whoever takes the run up listens there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_port: Option<u16>,
    /// The cases that a rerun is for, each with the attempts it had by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<Again>,
}

/// A case that is run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The case.
    pub case: CaseId,
    /// Its attempts before.
    pub attempts: u32,
}

/// Cases that only became known while the suite ran join its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CasesPlanned {
    /// The command that lists or reports them.
    pub command: Arc<str>,
    /// The cases.
    pub cases: Vec<PlannedCase>,
}

/// A command ended, and what it left behind was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandEnded {
    /// Which run.
    pub run: CommandRun,
    /// How it ended.
    pub outcome: PhaseOutcome,
    /// Its exit code; `None` where a signal ended it, or nothing started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// How long it took.
    pub duration_ms: u64,
    /// One phrase, as `exit 3`, `killed by SIGKILL`, `no such program`.
    pub detail: String,
    /// The end of its output, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Excerpt>,
    /// What its proxy saw: the hosts; connections are only counted here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Box<Observed>>,
    /// Passes that look too good for what was seen, at most [`MAX_DOUBTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Suspicious>,
    /// What it left behind: what `list` printed, or what its result files hold.
    pub left: Left,
}

/// What a run of a command left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// How many cases were listed or reported.
    #[serde(default)]
    pub cases: u32,
    /// How many of them are failing.
    #[serde(default)]
    pub failing: u32,
    /// Whether the results are of a whole run, as far as the files tell.
    #[serde(default)]
    pub complete: bool,
    /// Failures that belong to no case, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suite_errors: Vec<String>,
    /// How many failures belong to no case.
    #[serde(default)]
    pub suite_errors_total: u32,
    /// The result files, at most [`MAX_FILES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ResultFile>,
    /// How many files there were.
    #[serde(default)]
    pub files_total: u32,
}

/// At most so many doubtful passes of a run are recorded.
pub const MAX_DOUBTS: usize = 10_000;

/// At most so many result files of a run are named.
pub const MAX_FILES: usize = 50;

/// A file that a command left behind as results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    /// Its path within the folder of results.
    pub path: String,
    /// The format and the tool that wrote it; `None` where it holds no results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// How many cases stand in it.
    #[serde(default)]
    pub cases: u32,
    /// What is wrong with it, the first remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why nothing was taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}
