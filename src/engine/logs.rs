//! The logs of a cycle: what its steps and commands wrote, in the order in which they began.

use std::path::{Path, PathBuf};

use crate::command::RunFolder;
use crate::domain::event::CommandPart;
use crate::domain::evidence::Excerpt;
use crate::domain::outcome::Phase;
use crate::domain::state::{CommandRecord, CycleState, StepRecord};

/// What a supervisor writes the output to.
const OUTPUT: &str = "output.log";

/// One log.
#[derive(Debug)]
pub struct Log<'a> {
    /// The phase that it is of.
    pub phase: Phase,
    /// The step within that phase, from 1.
    pub step: u32,
    /// 1, or more when it was tried again.
    pub attempt: u32,
    /// What ran.
    pub name: String,
    /// How it ended; `None` while it runs.
    pub end: Option<&'a str>,
    /// Where its text is.
    pub text: LogText<'a>,
}

/// Where the text of a log is.
#[derive(Debug)]
pub enum LogText<'a> {
    /// In a file, relative to the state folder.
    File(PathBuf),
    /// In the records: the answer to a request.
    Kept(Option<&'a Excerpt>),
}

/// Every log so far. A log keeps its place: a later one only comes after it.
pub fn logs_of(state: &CycleState) -> Vec<Log<'_>> {
    let steps = |wanted: Phase| state.all_steps().filter(move |(phase, _)| *phase == wanted);
    let deploy = steps(Phase::Deploy).map(|(phase, step)| of_step(phase, step));
    let suite = (1..).zip(&state.commands).map(|(step, record)| of_command(step, record));
    let back = steps(Phase::Rollback).map(|(phase, step)| of_step(phase, step));
    deploy.chain(suite).chain(back).collect()
}

fn of_step(phase: Phase, step: &StepRecord) -> Log<'_> {
    let ended = step.ended.as_ref();
    let text = match step.started.run_dir.as_deref() {
        Some(folder) => LogText::File(Path::new(folder).join(OUTPUT)),
        None => LogText::Kept(ended.and_then(|ended| ended.output.as_ref())),
    };
    Log {
        phase,
        step: step.started.index + 1,
        attempt: step.started.attempt,
        name: step.started.name.clone(),
        end: ended.map(|ended| ended.detail.as_str()),
        text,
    }
}

fn of_command(step: u32, record: &CommandRecord) -> Log<'_> {
    let run = &record.started.run;
    let name = match (run.part, run.shard) {
        (CommandPart::List, _) => format!("{} (list)", run.command),
        (CommandPart::Rerun, _) => format!("{} (again)", run.command),
        (CommandPart::Tests, Some(shard)) => format!("{} (shard {shard})", run.command),
        (CommandPart::Tests, None) => run.command.to_string(),
    };
    Log {
        phase: Phase::Suite,
        step,
        attempt: run.attempt,
        name,
        end: record.ended.as_ref().map(|ended| ended.detail.as_str()),
        text: LogText::File(
            Path::new(&record.started.dir).join(RunFolder::SUPERVISED).join(OUTPUT),
        ),
    }
}
