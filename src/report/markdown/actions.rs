//! Part 12: what to do now, derived from the records and ordered by how much it matters.

mod questions;
mod repair;
mod suite;

pub(super) use suite::gone;

use jiff::Timestamp;
use jiff::civil::Date;

use super::page::Page;
use super::{fixes, headline};
use crate::domain::escape;
use crate::domain::findings::{Cluster, Countermeasure, OverdueMeasure};
use crate::domain::names::InvestigationId;
use crate::domain::outcome::{Phase, Verdict, VoidReason};
use crate::domain::spec::Priority;
use crate::domain::state::Deployed;
use crate::report::view::View;
use crate::report::{rollback, words};

/// At most so many actions: more is no list to act on.
const MAX_ACTIONS: usize = 15;

/// One thing to do.
struct Action {
    priority: Priority,
    text: String,
}

pub fn write(page: &mut Page, view: &View<'_>) {
    page.section("Next actions");
    if let Some(of) = view.state.queued.options.search_of.filter(|_| view.is_question()) {
        page.block(&after_question(view, of));
        return;
    }
    let actions = all(view);
    let left_out = actions.len().saturating_sub(MAX_ACTIONS);
    let mut items: Vec<String> = actions
        .into_iter()
        .take(MAX_ACTIONS)
        .map(|action| format!("**{}** {}", action.priority, action.text))
        .collect();
    if left_out > 0 {
        items.push(format!("… and {left_out} more of the same kinds"));
    }
    if items.is_empty() {
        page.block("None.");
    }
    page.numbered(&items);
}

/// A search goes on by itself unless a person ended it: then an older commit may be what is deployed.
fn after_question(view: &View<'_>, of: u32) -> String {
    let queued = &view.state.queued;
    if view.verdict() != Some(Verdict::Cancelled) {
        return format!("None: the search for what broke cycle {of} goes on by itself.");
    }
    let asked = view.state.resolved.as_ref();
    let asked = asked.map_or_else(String::new, |resolved| super::short(&resolved.revision.sha));
    let has = match view.state.left_deployed() {
        None if queued.options.deploy => "has what was deployed before".to_owned(),
        None | Some(Deployed::Served | Deployed::Unseen) => {
            format!("has {asked}, which is not the newest revision")
        }
        Some(Deployed::InPart | Deployed::Another) => {
            format!("may have {asked} in whole or in part, which is not the newest revision")
        }
    };
    let environment = escape::text(queued.environment.as_str());
    let run = escape::code(&format!("andon run {}", queued.definition.file));
    format!(
        "A person ended the search for what broke cycle {of}. {environment} {has}: \
         `andon culprit {} {of}` goes on with the search and puts the newest back at its end, {run} only puts \
         it back. A daemon that searches by itself (`culprit.search`) puts it back now.",
        queued.pipeline
    )
}

/// The most urgent one, for the top of the page, and how many there are.
pub(super) fn most_urgent(view: &View<'_>) -> Option<(String, usize)> {
    let actions = all(view);
    let total = actions.len();
    Some((actions.into_iter().next()?.text, total))
}

fn all(view: &View<'_>) -> Vec<Action> {
    let mut actions: Vec<Action> = Vec::new();
    if view.is_question() {
        return actions;
    }
    unproven(&mut actions, view);
    unrestored(&mut actions, view);
    if view.is_valid() {
        actions.extend(repair::actions(view));
        for cluster in view.clusters() {
            refuted(&mut actions, view, cluster);
        }
        actions.extend(questions::actions(view));
        for cluster in view.clusters() {
            planned(&mut actions, view, cluster);
        }
        for OverdueMeasure { id, measure } in view.findings.iter().flat_map(|f| &f.overdue) {
            countermeasure(&mut actions, view, id, measure, low());
        }
        suite::actions(&mut actions, view);
        suite::quarantine(&mut actions, view);
    }
    // Stable: within one priority the order above is the order of importance.
    actions.sort_by_key(|action| action.priority);
    actions
}

fn first(actions: &mut Vec<Action>, text: String) {
    actions.push(Action { priority: Priority::P1, text });
}

/// A cycle without results: nothing is known until it has some.
fn unproven(actions: &mut Vec<Action>, view: &View<'_>) {
    let queued = &view.state.queued;
    let logs = format!("`andon logs {} {}`", queued.pipeline, queued.cycle);
    match view.verdict() {
        Some(Verdict::DeployFailed) => {
            let environment = escape::text(queued.environment.as_str());
            let repair = repair_of_deploy(view, &logs);
            first(
                actions,
                format!("{repair}. Until then {environment} does not have this revision."),
            );
        }
        Some(Verdict::NotReady) => first(
            actions,
            format!(
                "Find out why the revision does not serve although its deploy ended well: {logs}.",
            ),
        ),
        Some(Verdict::Void) => first(actions, void(view)),
        Some(Verdict::Cancelled) => {
            let run = escape::code(&format!("andon run {}", queued.definition.file));
            let environment = escape::text(queued.environment.as_str());
            first(
                actions,
                match view.state.left_deployed() {
                    None | Some(Deployed::Served) => {
                        format!("Run it again when it is wanted: {run}.")
                    }
                    Some(Deployed::InPart | Deployed::Unseen) => format!(
                        "Nobody knows what {environment} serves: {run} deploys the newest revision and \
                         verifies it."
                    ),
                    Some(Deployed::Another) => format!(
                        "{environment} serves another revision than was deployed: {run} deploys the newest \
                         and verifies it."
                    ),
                },
            );
        }
        Some(Verdict::Green | Verdict::Red | Verdict::Incomplete | Verdict::Superseded) | None => {}
    }
}

/// A way back that did not get there: what the environment serves is neither the tested revision for
/// sure nor the last green one.
fn unrestored(actions: &mut Vec<Action>, view: &View<'_>) {
    let state = view.state;
    let Some(record) = state.phase_record(Phase::Rollback) else { return };
    let Some(outcome) = record.outcome.filter(|outcome| !outcome.went_well()) else { return };
    let environment = escape::text(state.queued.environment.as_str());
    let ended = headline::ending(outcome);
    let step = state.rollback.as_ref().and_then(rollback::failed_step);
    let detail = step.map(|(_, ended)| ended.detail.as_str()).or(record.detail.as_deref());
    let why = detail.map_or_else(String::new, |detail| format!(" ({})", escape::text(detail)));
    let text = match &state.rollback {
        Some(back) => {
            let (to, cycle) = (super::short(&back.planned.revision.sha), back.planned.cycle);
            let has_log = back.steps.iter().any(|step| !step.started.is_request());
            let (name, number) = (&state.queued.pipeline, state.queued.cycle);
            let logs = format!("; see `andon logs {name} {number} --phase rollback`");
            let logs = if has_log { logs } else { String::new() };
            format!(
                "{} may not serve {to}: the rollback to it (cycle {cycle}) {ended}{why}{logs}.",
                words::capitalised(&environment)
            )
        }
        None => format!("Bring {environment} back by hand: its rollback {ended}{why}."),
    };
    first(actions, text);
}

/// What to do about a deploy that failed. Only a command has a log.
fn repair_of_deploy(view: &View<'_>, logs: &str) -> String {
    let Some((step, _)) = headline::failed_step(view) else {
        return format!("Repair the deploy: {logs}");
    };
    let name = escape::text(&step.started.name);
    if !step.started.is_request() {
        return format!("Repair the deploy step “{name}”: {logs}");
    }
    let where_ = if headline::failed_output(view).is_some() { ": its answer is above" } else { "" };
    format!("Find out why “{name}” was not answered as expected{where_}")
}

fn void(view: &View<'_>) -> String {
    match view.void_reason() {
        Some(VoidReason::RevisionChanged) => {
            "Find out who else deploys to this environment, then run the cycle again.".to_owned()
        }
        Some(VoidReason::ControlFailed) => {
            "Repair what the control stands for (it is not the revision), then run the cycle again.".to_owned()
        }
        Some(VoidReason::SuiteChanged) => {
            "Look at what changed in the suite; if it is meant, set `expected_cases` to the new number.".to_owned()
        }
        Some(VoidReason::NoResults) | None => {
            "Find out why nothing ran, then run the cycle again.".to_owned()
        }
    }
}

/// How much a failure matters.
fn priority_of(view: &View<'_>, cluster: &Cluster) -> Option<Priority> {
    cluster.cases.iter().filter_map(|id| view.case(id)?.priority()).min()
}

/// What to do about fixes that failed.
fn refuted(actions: &mut Vec<Action>, view: &View<'_>, cluster: &Cluster) {
    let Some(priority) = priority_of(view, cluster) else { return };
    let Some(snapshot) = view.investigation(cluster) else { return };
    let texts = fixes::actions(view, &snapshot.claims, &snapshot.id);
    actions.extend(texts.into_iter().map(|text| Action { priority, text }));
}

/// What people have planned so that a failure does not come again.
fn planned(actions: &mut Vec<Action>, view: &View<'_>, cluster: &Cluster) {
    let Some(priority) = priority_of(view, cluster) else { return };
    let Some(snapshot) = view.investigation(cluster) else { return };
    for measure in &snapshot.countermeasures {
        countermeasure(actions, view, &snapshot.id, measure, priority);
    }
}

fn countermeasure(
    actions: &mut Vec<Action>,
    view: &View<'_>,
    id: &InvestigationId,
    measure: &Countermeasure,
    fallback: Priority,
) {
    if !measure.is_open() {
        return;
    }
    let priority = Priority::parse(measure.priority.trim()).unwrap_or(fallback);
    let what = escape::text(&measure.what);
    let owner = measure.owner.trim();
    let who = if owner.is_empty() { "**nobody owns it**".to_owned() } else { escape::text(owner) };
    let due = view.decided_at().and_then(|now| overdue(measure, now));
    let due = due.unwrap_or_else(|| match measure.due.trim() {
        "" => "no date".to_owned(),
        date => format!("due {}", escape::text(date)),
    });
    actions.push(Action {
        priority,
        text: format!("Countermeasure “{what}” of {id} is open ({who}, {due})."),
    });
}

/// `**17 days overdue**`, when the date is one and has passed.
fn overdue(measure: &Countermeasure, now: Timestamp) -> Option<String> {
    let days = days_until(measure.due_on()?, now);
    let days = u32::try_from(-days).ok().filter(|days| *days > 0)?;
    Some(format!("**{} overdue**", words::count(days, "day", "days")))
}

fn days_until(date: Date, now: Timestamp) -> i32 {
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    today.until(date).map_or(0, |span| span.get_days())
}

fn medium() -> Priority {
    Priority::parse("P2").unwrap_or(Priority::P1)
}

fn low() -> Priority {
    Priority::parse("P3").unwrap_or(Priority::P1)
}
