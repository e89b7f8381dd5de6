//! What a command listed: how it joins the plan, and how shards and reruns are told of their tests in the
//! tool's own words. A list may be long: it is read and named on a thread that may block.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Commands, count, only_of, today};
use crate::command::{
    self, Definitions, Listed, Names, NextRun, Printed, id_of_listed, parse_listed, spelling,
};
use crate::domain::event::{
    CasesPlanned, CommandEnded, CommandPart, Event, Left, PlannedCase, ResultFile,
};
use crate::domain::names::CaseId;
use crate::domain::outcome::PhaseOutcome;
use crate::domain::spec::SuiteCommand;
use crate::domain::state::CycleState;
use crate::engine::world::World;
use crate::engine::world::suite::planned_reported;
use crate::engine::{EngineError, Journal};
use crate::verdict::selects;

/// Listed ids that are planned together, at most.
const BATCH: usize = 2_000;

/// A list, named.
struct Planned {
    /// Each test once, with the digest of what it does.
    tests: Vec<(CaseId, Arc<str>)>,
    shortened: Option<String>,
}

impl World {
    /// Does something with what the command listed in this cycle, on a thread that may block.
    pub(super) async fn with_list<T: Send + 'static>(
        &self,
        state: &CycleState,
        command: &SuiteCommand,
        work: impl FnOnce(&Printed) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let mut runs = state.runs_of(&command.name);
        let list = runs.find(|record| record.started.run.part == CommandPart::List);
        let folder = list.map(|record| self.folder_of(&record.started));
        let reading = tokio::task::spawn_blocking(move || {
            work(&folder.map_or_else(Printed::default, |folder| folder.listed()))
        });
        reading.await.map_err(|fault| EngineError::Internal {
            what: format!("the task that reads a list ended: {fault}"),
        })
    }

    /// What was listed joins the plan, and the list has ended.
    pub(super) async fn record_list(
        &self,
        journal: &mut Journal,
        commands: &Commands<'_>,
        command: &SuiteCommand,
        ended: CommandEnded,
    ) -> Result<(), EngineError> {
        let names = Names::of(journal.state(), &command.name, &self.masker);
        let definitions = Definitions::of(command, self.checkout(journal)?);
        let name = move |printed: &Printed| named(printed, &names, definitions);
        let Planned { tests, shortened } = self.with_list(journal.state(), command, name).await?;
        let mut tests = tests.into_iter().peekable();
        while tests.peek().is_some() {
            let state = journal.state();
            let only = only_of(state, command);
            // After a crash some of them are planned.
            let wanted = |id: &CaseId| {
                !state.attempts.contains_key(id)
                    && only.is_none_or(|only| selects(only, id.as_str()))
            };
            let batch = tests.by_ref().take(BATCH).filter(|(id, _)| wanted(id));
            let planned = |(id, digest): (CaseId, Arc<str>)| {
                let name = id.to_string();
                planned_reported(commands.suite, command, id, name, digest, today(journal))
            };
            let cases: Vec<PlannedCase> = batch.map(planned).collect();
            if !cases.is_empty() {
                let planned = CasesPlanned { command: ended.run.command.clone(), cases };
                journal.append(vec![Event::CasesPlanned(planned)]).await?;
            }
        }
        let planned = command::cases_of(journal.state(), command).count();
        let left = what_was_listed(planned, ended.outcome, shortened);
        journal.append(vec![Event::CommandEnded(Box::new(CommandEnded { left, ..ended }))]).await
    }

    /// What a rerun is for, as the tool names it. Cases that it gives one name are run again together.
    pub(super) async fn spelled(
        &self,
        journal: &Journal,
        command: &SuiteCommand,
        next: &NextRun,
    ) -> Result<Vec<String>, EngineError> {
        if next.again.is_empty() {
            return Ok(Vec::new());
        }
        let again: HashSet<&CaseId> = next.again.iter().map(|again| &again.case).collect();
        let cases = journal.state().planned().iter().filter(|case| again.contains(&case.id));
        let names: HashMap<&CaseId, &str> =
            cases.map(|case| (&case.id, case.name.as_str())).collect();
        let known = Names::of(journal.state(), &command.name, &self.masker);
        let own = |case: &CaseId| {
            known.own_of(case, names.get(case).copied().unwrap_or_default()).to_owned()
        };
        let ids: Vec<String> = next.again.iter().map(|again| own(&again.case)).collect();
        let checkout = self.checkout(journal)?;
        let spell = move |printed: &Printed| {
            let listed = Listed::of(parse_listed(&printed.text));
            let spelled = ids.iter().map(|id| spelling(id, &listed, &checkout));
            let mut seen = HashSet::new();
            spelled.filter(|name| seen.insert(name.clone())).collect()
        };
        self.with_list(journal.state(), command, spell).await
    }

    /// The tests of each of these shards, as they were listed.
    pub(super) async fn shards(
        &self,
        journal: &Journal,
        command: &SuiteCommand,
        runs: &[&NextRun],
    ) -> Result<Vec<Vec<String>>, EngineError> {
        if runs.iter().all(|next| next.run.shard.is_none()) {
            return Ok(Vec::new());
        }
        let key = journal.key();
        let environment = &journal.state().queued.environment;
        let heads = journal.store().case_heads(&key.pipeline, environment).await?;
        let places = runs.iter().map(|next| next.run.shard.unwrap_or(1).saturating_sub(1) as usize);
        let (places, parts): (Vec<usize>, _) = (places.collect(), command.shards as usize);
        let split = move |printed: &Printed| {
            let took: HashMap<&str, u64> = heads
                .iter()
                .filter_map(|head| {
                    Some((head.case.as_str(), u64::from(head.recent.last()?.duration_ms)))
                })
                .collect();
            let tests: Vec<(&str, Option<u64>)> = parse_listed(&printed.text)
                .into_iter()
                .map(|line| (line, took.get(id_of_listed(line).as_str()).copied()))
                .collect();
            let parts = command::split(&tests, parts);
            let owned = |part: &Vec<&str>| part.iter().map(|&id| id.to_owned()).collect();
            places.into_iter().map(|place| parts.get(place).map_or_else(Vec::new, owned)).collect()
        };
        self.with_list(journal.state(), command, split).await
    }
}

fn named(printed: &Printed, names: &Names, mut definitions: Definitions) -> Planned {
    let mut seen = HashSet::new();
    let mut tests = Vec::new();
    for line in parse_listed(&printed.text) {
        let id = names.of_listed(line);
        if seen.insert(id.clone()) {
            tests.push((id, definitions.digest(None, line)));
        }
    }
    Planned { tests, shortened: printed.shortened() }
}

fn what_was_listed(planned: usize, outcome: PhaseOutcome, shortened: Option<String>) -> Left {
    let complete = shortened.is_none() && outcome == PhaseOutcome::Passed;
    let files = shortened.map(|why| ResultFile {
        path: "the list".to_owned(),
        dialect: None,
        cases: count(planned),
        warnings: vec![why],
        refused: None,
    });
    let files: Vec<ResultFile> = files.into_iter().collect();
    let files_total = count(files.len());
    Left { cases: count(planned), complete, files, files_total, ..Left::default() }
}
