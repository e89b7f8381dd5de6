//! What the result files of runs that go on say of each case so far, for whoever watches. Nothing of it is
//! recorded: what counts is read once a run has ended.

use crate::command::{Listed, Names, NextRun, Printed, Reading, parse_listed};
use crate::domain::event::CommandPart;
use crate::domain::names::CaseId;
use crate::domain::outcome::Outcome;
use crate::domain::spec::SuiteCommand;
use crate::domain::state::CycleState;
use crate::engine::world::World;
use crate::engine::{EngineError, Journal, Progress};
use crate::ingest::ReportedOutcome;

use super::record_of;

/// Where runs wrote more, what became of their cases is told when they end: each look reads all of it again.
const MAX_BYTES: u64 = 4 << 20;

impl World {
    /// Tells what became of the cases that these runs have written down by now. `bytes` is how much that is.
    pub(super) async fn tell_so_far(
        &self,
        journal: &Journal,
        command: &SuiteCommand,
        runs: &[NextRun],
        bytes: u64,
    ) -> Result<(), EngineError> {
        if bytes > MAX_BYTES {
            return Ok(());
        }
        for next in runs.iter().filter(|next| next.run.part != CommandPart::List) {
            let record = record_of(journal.state(), &next.run)?;
            // What it left is in the ledger by now, or on its way there.
            if record.ended.is_some() {
                continue;
            }
            let (folder, since) = (self.folder_of(&record.started), record.started_at);
            let (of_run, masker) = (command.clone(), self.masker.clone());
            let names = Names::of(journal.state(), &command.name, &masker);
            let read = move |printed: &Printed| {
                let reading = Reading {
                    command: &of_run,
                    folder: &folder,
                    since,
                    names: &names,
                    listed: &Listed::of(parse_listed(&printed.text)),
                    masker: &masker,
                };
                reading.outcomes()
            };
            for (case, reported, ms) in self.with_list(journal.state(), command, read).await? {
                let outcome = so_far(journal.state(), &case, next.run.part, reported);
                let duration_ms = u64::from(ms);
                let news = Progress::Reported { case: &case, outcome, duration_ms };
                journal.observer().on(news);
            }
        }
        Ok(())
    }
}

/// What a case comes to with what its tool just said. A pass of what failed in an earlier part is flaky.
fn so_far(
    state: &CycleState,
    case: &CaseId,
    part: CommandPart,
    reported: ReportedOutcome,
) -> Outcome {
    let failed_before = part == CommandPart::Rerun
        && state.attempts_of(case).iter().any(|attempt| attempt.failure.is_some());
    match reported {
        ReportedOutcome::Passed if failed_before => Outcome::Flaky,
        ReportedOutcome::Passed => Outcome::Passed,
        ReportedOutcome::Flaky => Outcome::Flaky,
        ReportedOutcome::Failed => Outcome::Failed,
        ReportedOutcome::Errored => Outcome::Errored,
        ReportedOutcome::Skipped => Outcome::Skipped,
    }
}
