//! What is said about single pieces of news. Text from outside is made fit for a terminal here.

use std::time::Duration;

use crate::cli::output::{self, bold, clean, duration, millis, shortened};
use crate::domain::attempt::Attempt;
use crate::domain::event::{
    CommandEnded, CommandPart, ControlReading, PhaseEnded, RevisionResolved, RollbackPlanned,
    StepEnded, SurfaceReading,
};
use crate::domain::findings::Findings;
use crate::domain::outcome::Outcome;

/// A long reason of one line is cut here; the report has it whole.
const MAX_REASON: usize = 300;

pub(super) fn revision(resolved: &RevisionResolved) -> String {
    let revision = &resolved.revision;
    let (subject, author) = (clean(&revision.subject), clean(&revision.author));
    format!("{} {subject} ({author})", bold(revision.sha.short()))
}

pub(super) fn rollback(back: &RollbackPlanned) -> String {
    let (revision, cycle) = (&back.revision, back.cycle);
    format!("to {} {} (cycle {cycle})", bold(revision.sha.short()), clean(&revision.subject))
}

pub(super) fn step(name: &str, ended: &StepEnded) -> String {
    format!("{}: {} ({})", clean(name), reason(&ended.detail), duration(ended.duration_ms))
}

pub(super) fn surface(surface: &SurfaceReading) -> String {
    let serves = surface.served.as_deref().map_or_else(
        || format!("says nothing: {}", surface.error.as_deref().unwrap_or("no answer")),
        |served| format!("serves {}", served_short(served)),
    );
    let wrong = surface.matches == Some(false) && surface.served.is_some();
    let note = if wrong { bold(" (not the wanted revision)") } else { String::new() };
    format!("{} {}{note}", clean(&surface.surface), reason(&serves))
}

pub(super) fn attempt(attempt: &Attempt) -> String {
    let word = output::outcome(Outcome::from(attempt.result()));
    let again =
        if attempt.number > 1 { format!(" (attempt {})", attempt.number) } else { String::new() };
    let message = attempt
        .failure
        .as_ref()
        .map_or_else(String::new, |failure| format!(": {}", reason(&failure.message)));
    format!("{word} {}{again}{message}", clean(attempt.case.as_str()))
}

/// How a run of a command of the suite ended, and what it left behind.
pub(super) fn command(ended: &CommandEnded) -> String {
    let CommandEnded { run, left, .. } = ended;
    let which = match (run.part, run.shard) {
        (CommandPart::List, _) => " (list)".to_owned(),
        (CommandPart::Rerun, _) => format!(" (rerun {})", run.attempt.saturating_sub(1)),
        (CommandPart::Tests, Some(shard)) => format!(" (shard {shard})"),
        (CommandPart::Tests, None) => String::new(),
    };
    let cases = output::counted(left.cases as usize, "case");
    let failing = match left.failing {
        0 => String::new(),
        failing => format!(", {failing} failing"),
    };
    let (how, took) = (reason(&ended.detail), duration(ended.duration_ms));
    format!("{}{which}: {how} ({took}), {cases}{failing}", clean(&run.command))
}

/// How far a command is.
pub(super) fn counted(command: &str, cases: u32, of: u32) -> String {
    let command = clean(command);
    match of {
        0 => format!("{command}: {} so far", output::counted(cases as usize, "case")),
        of => format!("{command}: {cases} of {}", output::counted(of as usize, "case")),
    }
}

pub(super) fn phase(ended: &PhaseEnded) -> String {
    let detail = ended.detail.as_deref().map_or_else(String::new, |d| format!(": {}", reason(d)));
    let word = ended.outcome.as_str().replace('_', " ");
    format!("{word} after {}{detail}", duration(ended.duration_ms))
}

pub(super) fn verdict(findings: &Findings) -> String {
    let counts = &findings.counts;
    let ran = if counts.planned == 0 {
        String::new()
    } else {
        format!(" · ran {} of {}", counts.ran(), counts.planned)
    };
    let verdict = output::verdict(Some(findings.verdict));
    format!("{verdict}{ran} · {}", reason(&findings.reason))
}

/// What readiness waits for, in one line.
pub(super) fn waiting(
    (held, of): (u32, u32),
    surfaces: &[SurfaceReading],
    checks: &[ControlReading],
    left: Duration,
) -> String {
    let wrong = surfaces.iter().filter(|surface| surface.matches != Some(true)).map(|surface| {
        let serves = surface
            .served
            .as_deref()
            .map_or("says nothing".to_owned(), |served| format!("serves {}", served_short(served)));
        format!("{} {serves}", surface.surface)
    });
    let failing = checks
        .iter()
        .filter(|check| check.failure.is_some())
        .map(|check| format!("{} does not hold", check.name));
    let waiting: Vec<String> = wrong.chain(failing).collect();
    let why = if waiting.is_empty() { String::new() } else { format!(": {}", waiting.join(", ")) };
    clean(&format!("ready: {held} of {of} in a row, {} left{why}", millis(left)))
}

/// A reason from outside, in one line that a person reads to its end.
pub(super) fn reason(text: &str) -> String {
    clean(&shortened(text, MAX_REASON))
}

/// What a surface serves: an id in its short form, all else as it is.
fn served_short(served: &str) -> String {
    let is_id = served.len() > 12 && served.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id { served[..7].to_owned() } else { shortened(served, 40) }
}
