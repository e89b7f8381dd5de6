//! What may follow what while the suite runs: its plan, its commands, the attempts.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{Legal, needs_phase};
use crate::domain::attempt::Attempt;
use crate::domain::event::{
    CasesPlanned, CommandEnded, CommandRun, CommandStarted, PlannedCase, SuiteEnded, SuitePlanned,
};
use crate::domain::names::CaseId;
use crate::domain::outcome::Phase;
use crate::domain::state::{CommandRecord, CycleState};

/// In the diff phase, too: a cycle that ended before its suite says there what did not run.
pub(super) fn suite_planned(state: &mut CycleState, planned: SuitePlanned) -> Legal {
    needs_phase(state, &[Phase::Suite, Phase::Diff])?;
    if state.findings.is_some() {
        return Err("the verdict was decided before".to_owned());
    }
    if state.plan.is_some() {
        return Err("the suite was planned before".to_owned());
    }
    unless_planned_twice(&planned.cases, |_| false)?;
    state.attempts = planned.cases.iter().map(|case| (case.id.clone(), Vec::new())).collect();
    state.plan = Some(planned);
    Ok(())
}

pub(super) fn attempt_finished(state: &mut CycleState, mut attempt: Attempt) -> Legal {
    needs_phase(state, &[Phase::Suite])?;
    if state.suite_ended.is_some() {
        return Err("the suite has ended".to_owned());
    }
    let Some((planned, attempts)) = state.attempts.get_key_value(&attempt.case) else {
        return Err(format!("case {} is not planned", attempt.case));
    };
    let expected = attempts.len() + 1;
    if usize::try_from(attempt.number) != Ok(expected) {
        return Err(format!("attempt {expected} of case {} is expected next", attempt.case));
    }
    // In a large suite what is held of each attempt decides how much memory is needed: the id is
    // that of the plan.
    attempt.case = planned.clone();
    if attempt.failure.is_none() {
        attempt.evidence.forget_content();
    }
    attempt.evidence.fit_exactly();
    let attempts = state.attempts.entry(attempt.case.clone()).or_default();
    attempts.reserve_exact(1);
    attempts.push(attempt);
    Ok(())
}

pub(super) fn suite_ended(state: &mut CycleState, ended: SuiteEnded) -> Legal {
    needs_phase(state, &[Phase::Suite, Phase::Diff])?;
    needs_running_suite(state)?;
    if let Some(open) = state.commands.iter().find(|record| record.ended.is_none()) {
        return Err(format!("command {} has not ended", open.started.run.command));
    }
    for entry in &ended.not_run {
        match state.attempts.get(&entry.case) {
            None => return Err(format!("case {} is not planned", entry.case)),
            Some(attempts) if !attempts.is_empty() => {
                return Err(format!("case {} has a result", entry.case));
            }
            Some(_) => {}
        }
    }
    let without_result = state.attempts.values().filter(|attempts| attempts.is_empty()).count();
    if without_result != ended.not_run.len() {
        return Err(format!(
            "{without_result} cases have no result, but {} are said not to have run",
            ended.not_run.len()
        ));
    }
    state.suite_ended = Some(ended);
    Ok(())
}

fn unless_planned_twice(cases: &[PlannedCase], before: impl Fn(&CaseId) -> bool) -> Legal {
    let mut ids = HashSet::new();
    match cases.iter().find(|case| before(&case.id) || !ids.insert(&case.id)) {
        Some(twice) => Err(format!("case {} is planned twice", twice.id)),
        None => Ok(()),
    }
}

fn needs_running_suite(state: &CycleState) -> Legal {
    match state.plan.is_some() && state.suite_ended.is_none() {
        true => Ok(()),
        false => Err("no suite is running".to_owned()),
    }
}

/// Only while the suite runs: after its end nobody would see to it.
pub(super) fn command_started(
    state: &mut CycleState,
    started: CommandStarted,
    at: Timestamp,
) -> Legal {
    needs_phase(state, &[Phase::Suite])?;
    needs_running_suite(state)?;
    if state.commands.iter().any(|record| record.started.run == started.run) {
        return Err(format!("{} was started before", told(&started.run)));
    }
    state.commands.push(CommandRecord { started, started_at: at, ended: None });
    Ok(())
}

/// What is added is new: a plan only grows.
pub(super) fn cases_planned(state: &mut CycleState, planned: CasesPlanned) -> Legal {
    needs_phase(state, &[Phase::Suite])?;
    needs_running_suite(state)?;
    unless_planned_twice(&planned.cases, |id| state.attempts.contains_key(id))?;
    for case in &planned.cases {
        state.attempts.insert(case.id.clone(), Vec::new());
    }
    let plan = state.plan.as_mut().ok_or("no suite is running")?;
    plan.cases.extend(planned.cases);
    Ok(())
}

pub(super) fn command_ended(state: &mut CycleState, ended: CommandEnded) -> Legal {
    needs_phase(state, &[Phase::Suite])?;
    let open = state
        .commands
        .iter_mut()
        .find(|record| record.started.run == ended.run && record.ended.is_none());
    let open = open.ok_or_else(|| format!("{} is not running", told(&ended.run)))?;
    open.ended = Some(ended);
    Ok(())
}

fn told(run: &CommandRun) -> String {
    let shard = run.shard.map_or_else(String::new, |shard| format!(", shard {shard}"));
    format!("{} {} of command {}{shard}", run.part, run.attempt, run.command)
}
