//! What a command of the suite does next, by the records alone.

use crate::domain::attempt::Attempt;
use crate::domain::event::{Again, CommandPart, CommandRun, PlannedCase, StoppedBy};
use crate::domain::outcome::PhaseOutcome;
use crate::domain::spec::SuiteCommand;
use crate::domain::state::{CommandRecord, CycleState};
use crate::verdict::may_retry;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// These runs, side by side.
    Run(Vec<NextRun>),
    /// Nothing: it has come to its end.
    Done {
        /// Why failing cases are not run again, when the outage rule forbids it.
        retries_withheld: Option<String>,
    },
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRun {
    /// Which.
    pub run: CommandRun,
    /// Whether its start is recorded: then it is taken up, never started again.
    pub recorded: bool,
    /// The cases that a rerun is for.
    pub again: Vec<Again>,
}

/// Looks at the records of a command. Once the suite is stopped nothing new begins; what runs is seen to
/// its end.
pub fn next(
    state: &CycleState,
    command: &SuiteCommand,
    retries: u32,
    stopped_by: Option<StoppedBy>,
) -> Next {
    let records: Vec<&CommandRecord> = state.runs_of(&command.name).collect();
    let open: Vec<NextRun> = records
        .iter()
        .filter(|record| record.ended.is_none())
        .map(|record| taken_up(record))
        .collect();
    match stopped_by {
        Some(_) if open.is_empty() => return Next::Done { retries_withheld: None },
        Some(_) => return Next::Run(open),
        None => {}
    }
    let wanted = first_runs(command).into_iter();
    let missing = wanted.filter(|run| !records.iter().any(|record| record.started.run == *run));
    // The list comes before the tests, which all run side by side.
    let missing: Vec<NextRun> = missing.map(new).collect();
    let part = missing.first().map(|first| first.run.part);
    let lists = open.iter().any(|next| next.run.part == CommandPart::List);
    let missing = missing.into_iter().filter(|next| Some(next.run.part) == part && !lists);
    let runs: Vec<NextRun> = open.into_iter().chain(missing).collect();
    if runs.is_empty() { rerun(state, command, retries, &records) } else { Next::Run(runs) }
}

/// What is run of every command, before it is known what fails.
fn first_runs(command: &SuiteCommand) -> Vec<CommandRun> {
    let run =
        |part, shard| CommandRun { command: command.name.as_str().into(), part, attempt: 1, shard };
    let list = command.list.iter().map(|_| run(CommandPart::List, None));
    let tests = (1..=command.shards)
        .map(|shard| run(CommandPart::Tests, (command.shards > 1).then_some(shard)));
    list.chain(tests).collect()
}

fn new(run: CommandRun) -> NextRun {
    NextRun { run, recorded: false, again: Vec::new() }
}

fn taken_up(record: &CommandRecord) -> NextRun {
    let started = &record.started;
    NextRun { run: started.run.clone(), recorded: true, again: started.again.clone() }
}

fn rerun(
    state: &CycleState,
    command: &SuiteCommand,
    retries: u32,
    records: &[&CommandRecord],
) -> Next {
    let attempt = records.iter().map(|record| record.started.run.attempt).max().unwrap_or(1);
    let done = Next::Done { retries_withheld: None };
    // What was cut short, or left no trace of its end, is no flake.
    let tests = records.iter().filter(|record| record.started.run.part != CommandPart::List);
    if command.rerun.is_none()
        || attempt > retries
        || !tests.into_iter().all(|record| by_itself(record))
    {
        return done;
    }
    let cases: Vec<(&PlannedCase, &[Attempt])> = cases_of(state, command).collect();
    let failing = cases.iter().filter(|(_, attempts)| fails(attempts));
    let again: Vec<Again> = failing
        .map(|(case, attempts)| Again { case: case.id.clone(), attempts: attempts.len() as u32 })
        .collect();
    if again.is_empty() {
        return done;
    }
    if !may_retry(cases.len(), again.len()) {
        let (failing, planned) = (again.len(), cases.len());
        let why = format!(
            "{failing} of {planned} cases of {} were failing: that is no flake",
            command.name
        );
        return Next::Done { retries_withheld: Some(why) };
    }
    let run = CommandRun {
        command: command.name.as_str().into(),
        part: CommandPart::Rerun,
        attempt: attempt + 1,
        shard: None,
    };
    Next::Run(vec![NextRun { run, recorded: false, again }])
}

/// The tests of a command that are known so far.
pub fn cases_of<'a>(
    state: &'a CycleState,
    command: &'a SuiteCommand,
) -> impl Iterator<Item = (&'a PlannedCase, &'a [Attempt])> {
    let of_command = |case: &&PlannedCase| {
        case.command.as_deref() == Some(command.name.as_str()) && !case.id.is_of_command()
    };
    state.planned().iter().filter(of_command).map(|case| (case, state.attempts_of(&case.id)))
}

fn fails(attempts: &[Attempt]) -> bool {
    attempts.last().is_some_and(|attempt| attempt.failure.is_some())
}

fn by_itself(record: &CommandRecord) -> bool {
    let outcome = record.ended.as_ref().map(|ended| ended.outcome);
    matches!(outcome, Some(PhaseOutcome::Passed | PhaseOutcome::Failed))
}

#[cfg(test)]
mod tests;
