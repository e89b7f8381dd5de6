//! The rows of the matrix of events: every step that expects some, of every planned case, whether it
//! came to look for them or not.

use crate::domain::event::PlannedEvents;
use crate::domain::evidence::EventsSeen;
use crate::domain::names::CaseId;
use crate::domain::outcome::Outcome;
use crate::report::view::CaseView;

/// One step of one case, over all its sessions.
pub(super) struct Row<'a> {
    pub(super) case: &'a CaseId,
    pub(super) step: &'a str,
    /// The events that must come, with repetitions.
    pub(super) expected: &'a [String],
    /// The events that must not come, where the plan says.
    pub(super) forbidden: &'a [String],
    pub(super) sight: Sight<'a>,
    pub(super) failing: bool,
    pub(super) impact: Option<&'a str>,
}

/// What was seen of a step's events.
pub(super) enum Sight<'a> {
    /// They were looked for.
    Seen {
        /// The session that saw least.
        worst: &'a EventsSeen,
        sessions: usize,
        complete: usize,
    },
    /// Nobody looked.
    Unseen(Unseen<'a>),
}

/// Why nobody looked for the events of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseen<'a> {
    /// The case did not run.
    NotRun,
    /// The suite skips the case.
    Skipped,
    /// The case ended in this very step, before there was anything to read.
    NoStream,
    /// The case ended at an earlier step.
    EndedAt(&'a str),
    /// The step held without them, as one whose handshake was refused as expected.
    NotNeeded,
}

impl Row<'_> {
    /// Whether all is as it should be.
    pub(super) fn is_complete(&self) -> bool {
        match &self.sight {
            Sight::Seen { worst, .. } => is_complete(worst),
            Sight::Unseen(_) => false,
        }
    }

    /// Less is told earlier.
    pub(super) fn rank(&self) -> u8 {
        match (self.failing, &self.sight) {
            (true, _) if !self.is_complete() => 0,
            (true, _) => 1,
            (false, Sight::Unseen(_)) => 2,
            (false, Sight::Seen { .. }) => 3,
        }
    }
}

/// The rows of a case, in the order of its steps.
pub(super) fn rows_of<'a>(case: &CaseView<'a>) -> Vec<Row<'a>> {
    let Some(outcome) = case.outcome() else { return Vec::new() };
    let attempt = case.deciding().filter(|_| outcome.is_known());
    let seen = attempt.map_or(&[][..], |attempt| attempt.evidence.events.as_slice());
    let planned = case.planned.map_or(&[][..], |planned| planned.events.as_slice());
    let mut rows: Vec<Row<'a>> = Vec::new();
    let row = |step, expected, forbidden, sight| Row {
        case: case.id,
        step,
        expected,
        forbidden,
        sight,
        failing: case.is_failing(),
        impact: case.impact(),
    };
    for (at, plan) in planned.iter().enumerate() {
        if planned[..at].contains(plan) {
            continue;
        }
        let of_step: Vec<&EventsSeen> = seen.iter().filter(|seen| fits(plan, seen)).collect();
        rows.push(match sight_of(&of_step) {
            Some((worst, sight)) => row(&plan.step, &worst.expected, &plan.none, sight),
            None => row(&plan.step, &plan.all, &plan.none, Sight::Unseen(why(case, outcome, plan))),
        });
    }
    // The plans of older cycles do not say what is expected.
    let names_events = |seen: &&EventsSeen| !seen.expected.is_empty() || !seen.forbidden.is_empty();
    let unplanned = |seen: &&EventsSeen| !planned.iter().any(|plan| fits(plan, seen));
    for one in seen.iter().filter(names_events).filter(unplanned) {
        let same = |step: &str, expected: &[String]| step == one.step && expected == one.expected;
        if !rows.iter().any(|row| same(row.step, row.expected)) {
            let of_step = seen.iter().filter(|seen| same(&seen.step, &seen.expected));
            let sight = sight_of(&of_step.collect::<Vec<_>>());
            rows.extend(sight.map(|(worst, sight)| row(&one.step, &worst.expected, &[], sight)));
        }
    }
    rows
}

/// Whether evidence is of a planned step; a name with references is filled in only when it runs.
fn fits(plan: &PlannedEvents, seen: &EventsSeen) -> bool {
    plan.step == seen.step
        && plan.all.len() == seen.expected.len()
        && plan.all.iter().zip(&seen.expected).all(|(a, b)| a == b || a.contains('$'))
}

fn sight_of<'a>(of_step: &[&'a EventsSeen]) -> Option<(&'a EventsSeen, Sight<'a>)> {
    let worst = *of_step.iter().min_by_key(|seen| rank(seen))?;
    let complete = of_step.iter().filter(|seen| is_complete(seen)).count();
    Some((worst, Sight::Seen { worst, sessions: of_step.len(), complete }))
}

fn why<'a>(case: &CaseView<'a>, outcome: Outcome, plan: &PlannedEvents) -> Unseen<'a> {
    match outcome {
        Outcome::NotRun => Unseen::NotRun,
        Outcome::Skipped => Unseen::Skipped,
        Outcome::Passed | Outcome::Flaky => Unseen::NotNeeded,
        Outcome::Failed | Outcome::Errored => {
            let ended_at = case.failure().and_then(|failure| failure.step.as_deref());
            let was_done = case.deciding().is_some_and(|attempt| {
                attempt.evidence.exchanges.iter().any(|e| e.step == plan.step)
            });
            match ended_at {
                Some(step) if step == plan.step => Unseen::NoStream,
                _ if was_done => Unseen::NotNeeded,
                Some(step) => Unseen::EndedAt(step),
                None => Unseen::NoStream,
            }
        }
    }
}

fn is_complete(seen: &EventsSeen) -> bool {
    seen.missing.is_empty() && seen.forbidden.is_empty() && !seen.out_of_order
}

/// Less is worse.
fn rank(seen: &EventsSeen) -> (usize, bool, bool) {
    (seen.came(), seen.forbidden.is_empty(), !seen.out_of_order)
}
