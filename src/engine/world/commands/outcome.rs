//! What a run left behind goes into the ledger; then what is to be said of the command as a whole.

use std::collections::HashMap;
use std::sync::Arc;

use super::running::{Ended, unread};
use super::{Commands, count, only_of, record_of, today};
use crate::command::{
    self, Conclusion, Definitions, Listed, Named, Names, Printed, Reading, Reported, Traffic,
    parse_listed, spelling,
};
use crate::domain::attempt::Attempt;
use crate::domain::event::{
    CasesPlanned, CommandEnded, CommandPart, Event, Left, MAX_DOUBTS, NotRun, PlannedCase,
};
use crate::domain::evidence::Evidence;
use crate::domain::failure::Failure;
use crate::domain::findings::Suspicious;
use crate::domain::history::Heads;
use crate::domain::identity::unnumbered;
use crate::domain::names::CaseId;
use crate::domain::observed::Observed;
use crate::domain::spec::SuiteCommand;
use crate::domain::state::{CommandRecord, CycleState};
use crate::engine::world::World;
use crate::engine::world::suite::{planned_reported, planned_whole};
use crate::engine::{EngineError, Journal};
use crate::verdict::{self, ReportedRun, selects};

/// Cases whose results are made durable together, at most.
const BATCH: usize = 500;
/// So many of its latest cycles are asked whether a command was well.
const LOOK_BACK: u32 = 50;

/// What a run left, read.
struct Read {
    reported: Vec<(Reported, Arc<str>)>,
    left: Left,
}

impl World {
    /// Takes in what a run left behind, and then its end.
    pub(super) async fn record_end(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
        Ended { run, end, observed }: Ended,
    ) -> Result<(), EngineError> {
        let ended = unread(run.clone(), end);
        if run.part == CommandPart::List {
            return self.record_list(journal, commands, command, ended).await;
        }
        let record = record_of(journal.state(), &run)?.clone();
        let Read { mut reported, mut left } = self.read(journal, command, &record).await?;
        let doubts = match &observed {
            Some(observed) => self.doubts(journal, observed, &mut reported).await?,
            None => Vec::new(),
        };
        let hidden = self.record_cases(journal, commands, command, &record, reported).await?;
        for case in hidden {
            let what = || format!("{case} failed here, and passed in another part");
            command::belongs_to_no_case(&mut left, what);
        }
        let observed = observed.map(|observed| Box::new(observed.without_times()));
        let ended = CommandEnded { observed, doubts, left, ..ended };
        journal.append(vec![Event::CommandEnded(Box::new(ended))]).await
    }

    /// Gives the cases the connections that they alone can have used, and finds the passes that look too
    /// good for what was seen.
    async fn doubts(
        &self,
        journal: &Journal,
        observed: &Observed,
        reported: &mut [(Reported, Arc<str>)],
    ) -> Result<Vec<Suspicious>, EngineError> {
        let (key, environment) = (journal.key(), &journal.state().queued.environment);
        let heads = Heads::from(journal.store().case_heads(&key.pipeline, environment).await?);
        let before = |case: &CaseId| heads.get(case)?.recent.last().map(|run| run.duration_ms);
        let runs: Vec<ReportedRun<'_>> =
            reported.iter().map(|(case, _)| case.as_run(before(&case.id))).collect();
        let env = self.env_of(journal)?;
        let mut doubts = verdict::doubt_passes(&runs, Some(observed), env.hosts());
        doubts.truncate(MAX_DOUBTS);
        let traffic = verdict::attribute(&runs, observed).cases;
        let mut used: HashMap<CaseId, Traffic> = HashMap::new();
        for case in traffic {
            used.insert(case.case.clone(), Traffic::of(&case));
        }
        drop(runs);
        for (case, _) in reported {
            if let Some(traffic) = used.remove(&case.id) {
                case.used(traffic);
            }
        }
        Ok(doubts)
    }

    /// Reads the result files on a thread that may block.
    async fn read(
        &self,
        journal: &Journal,
        command: &SuiteCommand,
        record: &CommandRecord,
    ) -> Result<Read, EngineError> {
        let folder = self.folder_of(&record.started);
        let since = record.started_at;
        let (command, masker) = (command.clone(), self.masker.clone());
        let names = Names::of(journal.state(), &command.name, &masker);
        let checkout = self.checkout(journal)?;
        let of_command = command.clone();
        let read = move |printed: &Printed| {
            let listed = Listed::of(parse_listed(&printed.text));
            let mut definitions = Definitions::of(&command, checkout.clone());
            let reading = Reading {
                command: &command,
                folder: &folder,
                since,
                names: &names,
                listed: &listed,
                masker: &masker,
            };
            let (reported, left) = reading.read(|found| {
                let Named { own, listed: as_listed, .. } = found.named;
                let digest = definitions.digest(found.file, as_listed.unwrap_or(own));
                (spelling(unnumbered(own, found.name), &listed, &checkout), digest)
            });
            Read { reported, left }
        };
        self.with_list(journal.state(), &of_command, read).await
    }

    /// New cases join the plan with their attempts; what an earlier process recorded stays as it is.
    /// Gives back the cases that failed in this part, of which another part said before that they pass.
    async fn record_cases(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
        record: &CommandRecord,
        reported: Vec<(Reported, Arc<str>)>,
    ) -> Result<Vec<CaseId>, EngineError> {
        let mut hidden = Vec::new();
        let mut reported = reported.into_iter().peekable();
        while reported.peek().is_some() {
            let mut planned = Vec::new();
            let mut attempts = Vec::new();
            for (case, digest) in reported.by_ref().take(BATCH) {
                let state = journal.state();
                let wanted =
                    only_of(state, command).is_none_or(|only| selects(only, case.id.as_str()));
                if !wanted {
                    continue;
                }
                let Some(before) = attempts_before(journal, record, &case.id) else {
                    hidden.extend(is_hidden(state, record, &case).then_some(case.id));
                    continue;
                };
                if !state.attempts.contains_key(&case.id) {
                    let (id, name) = (case.id.clone(), case.name.clone());
                    let suite = commands.suite;
                    planned.push(planned_reported(
                        suite,
                        command,
                        id,
                        name,
                        digest,
                        today(journal),
                    ));
                }
                let began_at = record.started_at;
                let numbered = (before + 1..).zip(case.attempts);
                attempts.extend(numbered.map(|(number, attempt)| {
                    let attempt = attempt.into_attempt(case.id.clone(), number, began_at);
                    Event::AttemptFinished(Box::new(attempt))
                }));
            }
            let planned =
                CasesPlanned { command: record.started.run.command.clone(), cases: planned };
            let joins = (!planned.cases.is_empty()).then_some(Event::CasesPlanned(planned));
            journal.append(joins.into_iter().chain(attempts).collect()).await?;
        }
        Ok(hidden)
    }

    /// What none of the command's tests says becomes a case of its own.
    pub(super) async fn conclude(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
    ) -> Result<(), EngineError> {
        let id = CaseId::of_command(&command.name);
        if journal.state().attempts.contains_key(&id) {
            return Ok(());
        }
        let stopped_by = commands.stopped_by(journal);
        let state = journal.state();
        let failure = match command::conclude(state, command, commands.deadline_at, stopped_by) {
            Conclusion::Errored(failure) => Some(failure),
            // Where tests are known that did not run, they say it.
            Conclusion::NotRun(_) => {
                let told =
                    command::cases_of(state, command).any(|(_, attempts)| attempts.is_empty());
                let planned = (!told).then(|| self.plan_whole(journal, commands, command));
                return journal.append(planned.into_iter().collect()).await;
            }
            Conclusion::Sound if self.was_failing(journal, &id).await? => None,
            Conclusion::Sound => return Ok(()),
        };
        let planned = self.plan_whole(journal, commands, command);
        let attempt = whole(journal, command, id, failure);
        journal.append(vec![planned, Event::AttemptFinished(Box::new(attempt))]).await
    }

    fn plan_whole(
        &self,
        journal: &Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
    ) -> Event {
        let case = planned_whole(commands.suite, command, today(journal));
        Event::CasesPlanned(CasesPlanned {
            command: command.name.as_str().into(),
            cases: vec![case],
        })
    }

    /// Whether the last thing known of a command as a whole is that it could not be measured.
    async fn was_failing(&self, journal: &Journal, id: &CaseId) -> Result<bool, EngineError> {
        let rows = journal.store().case_history(&journal.key().pipeline, id, LOOK_BACK).await?;
        let environment = &journal.state().queued.environment;
        let known = rows.iter().filter(|row| {
            row.environment == *environment
                && row.asked_by_search_of.is_none()
                && row.verdict.is_some_and(|verdict| verdict.has_valid_suite())
        });
        let outcomes =
            known.filter_map(|row| row.result.outcome).find(|outcome| outcome.is_known());
        Ok(outcomes.is_some_and(|outcome| outcome.is_failing()))
    }
}

/// How many attempts a reported case has before those of this run; `None` where nothing more is taken.
fn attempts_before(journal: &Journal, record: &CommandRecord, case: &CaseId) -> Option<u32> {
    let now = count(journal.state().attempts_of(case).len());
    let before = match record.started.run.part {
        CommandPart::List => return None,
        CommandPart::Tests => 0,
        // A rerun that ran more than it was asked for says nothing of the rest.
        CommandPart::Rerun => record
            .started
            .again
            .iter()
            .find(|again| again.case == *case)
            .map(|again| again.attempts)?,
    };
    (now == before).then_some(before)
}

/// Whether a failure would be lost, because another part said first that the test passes. What this part
/// recorded itself before a crash says what it says now.
fn is_hidden(state: &CycleState, record: &CommandRecord, case: &Reported) -> bool {
    let first = state.attempts_of(&case.id).last();
    let passed = first.is_some_and(|first| first.failure.is_none());
    record.started.run.part == CommandPart::Tests && passed && case.is_failing()
}

/// The attempt of a command as a whole.
fn whole(
    journal: &Journal,
    command: &SuiteCommand,
    case: CaseId,
    failure: Option<Box<Failure>>,
) -> Attempt {
    let runs: Vec<&CommandRecord> = journal.state().runs_of(&command.name).collect();
    let ends = runs.iter().filter_map(|record| record.ended.as_ref());
    let worst = ends.clone().find(|ended| {
        failure
            .as_ref()
            .is_some_and(|failure| failure.actual.as_deref() == Some(ended.detail.as_str()))
    });
    let output = worst.and_then(|ended| ended.output.clone());
    Attempt {
        case,
        number: 1,
        started_at: runs.first().map_or_else(|| journal.now(), |record| record.started_at),
        duration_ms: ends.map(|ended| ended.duration_ms).sum(),
        failure: failure.map(|failure| Arc::from(*failure)),
        skipped: None,
        evidence: Evidence { output: output.map(Box::new), ..Evidence::default() },
    }
}

/// Why the tests of the commands that have no result did not run.
pub(in crate::engine::world) fn not_run(journal: &Journal, commands: &Commands<'_>) -> Vec<NotRun> {
    let (state, stopped_by) = (journal.state(), commands.stopped_by(journal));
    let mut not_run = Vec::new();
    for command in &commands.suite.commands {
        let own = |case: &&PlannedCase| case.command.as_deref() == Some(command.name.as_str());
        let mut cases = state.planned().iter().filter(own);
        let mut cases =
            cases.by_ref().filter(|case| state.attempts_of(&case.id).is_empty()).peekable();
        if cases.peek().is_none() {
            continue;
        }
        let reason = command::why_not_reported(state, command, commands.deadline_at, stopped_by);
        not_run.extend(cases.map(|case| NotRun { case: case.id.clone(), reason: reason.clone() }));
    }
    not_run
}
