//! `compare`: what became of each case between two runs of another tool, without any pipeline.
//!
//! What it must not do: match or judge cases itself (`compare` does), or read formats (`ingest`).

mod json;
mod markdown;
mod side;
mod terminal;

use std::thread;

use super::args::{CompareArgs, FailOn};
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Status};
use crate::cluster::fingerprint;
use crate::compare::{self, Compared, Counts};
use crate::domain::evidence::Evidence;
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::names::Fingerprint;
use crate::domain::outcome::{Change, Outcome};
use crate::ingest::{Entry, ProblemKind};

use side::RunRead;

/// Two runs and what became of each case.
struct Comparison<'a> {
    before: &'a RunRead,
    now: &'a RunRead,
    compared: Vec<Compared>,
    counts: Counts,
    /// What is wrong with the later run as a whole, and was not with the earlier one.
    new_troubles: Vec<&'a str>,
}

/// `andon compare`
pub fn compare(context: &Context, args: &CompareArgs) -> CliResult {
    let (before, now) = thread::scope(|scope| {
        let format = args.format.format();
        let before = scope.spawn(move || RunRead::read(&args.before, format));
        let now = RunRead::read(&args.now, format);
        let before =
            before.join().map_err(|_| CliError::usage_text("reading the earlier run failed"));
        before.and_then(|before| Ok((before?, now?)))
    })?;
    let (earlier, later) = (before.rows(), now.rows());
    let compared = compare::compare(&before.side(&earlier), &now.side(&later), &mut |was, is| {
        let print = |run: &RunRead, at: u32| fingerprint_of(&run.run.entries()[at as usize]);
        (print(&before, was), print(&now, is))
    });
    let comparison = Comparison {
        counts: Counts::of(&compared),
        new_troubles: new_troubles(&before, &now),
        before: &before,
        now: &now,
        compared,
    };
    let mut out = context.out();
    let printed = if args.json {
        out.json(&json::Form::of(&comparison))
    } else if args.markdown {
        out.verbatim(markdown::render(&comparison).as_bytes())
    } else {
        terminal::print(&mut out, &comparison)
    };
    printed.map_err(printing)?;
    Ok(comparison.status(args.fail_on))
}

fn new_troubles<'a>(before: &RunRead, now: &'a RunRead) -> Vec<&'a str> {
    let new = now.troubles.iter().filter(|trouble| !before.troubles.contains(trouble));
    new.map(String::as_str).collect()
}

impl Comparison<'_> {
    /// A run without a case is never good, whatever it is compared with.
    fn status(&self, fail_on: FailOn) -> Status {
        let regressed = self.counts.get(Change::Regressed) > 0 || !self.new_troubles.is_empty();
        let failing =
            self.now.totals.failed + self.now.totals.errored > 0 || !self.now.troubles.is_empty();
        let bad = match fail_on {
            FailOn::Regressed => regressed,
            FailOn::Failing => regressed || failing,
        };
        if bad || self.now.totals.cases == 0 { Status::NotGreen } else { Status::Green }
    }

    /// Those that changed so, in their order.
    fn of(&self, change: Change) -> impl Iterator<Item = &Compared> {
        self.compared.iter().filter(move |one| one.change == change)
    }

    /// Those of them that a person wants to see: what is as it was and not failing is only counted.
    fn news(&self, change: Change) -> impl Iterator<Item = &Compared> {
        self.of(change).filter(move |one| match change {
            Change::StillPassing => false,
            Change::Skipped => outcome_of(self.entries(one).0) != Some(Outcome::Skipped),
            Change::Regressed
            | Change::NewFailing
            | Change::ChangedFailure
            | Change::StillFailing
            | Change::Fixed
            | Change::NotRun
            | Change::Removed
            | Change::NewPassing => true,
        })
    }

    /// The case as it was, and as it is.
    fn entries(&self, one: &Compared) -> (Option<&Entry>, Option<&Entry>) {
        let before = one.before.map(|at| &self.before.run.entries()[at as usize]);
        let now = one.now.map(|at| &self.now.run.entries()[at as usize]);
        (before, now)
    }

    /// The id of a case: as it is now, or else as it was.
    fn id(&self, one: &Compared) -> String {
        match self.entries(one) {
            (_, Some(now)) => self.now.run.id_of(now),
            (Some(before), None) => self.before.run.id_of(before),
            (None, None) => String::new(),
        }
    }

    /// Why it is failing now; or why it was, for one that was fixed.
    fn message(&self, one: &Compared) -> &str {
        let (before, now) = self.entries(one);
        let said = now.and_then(|entry| entry.problem.as_deref());
        let said = said.or_else(|| before.and_then(|entry| entry.problem.as_deref()));
        said.map(|problem| problem.telling()).unwrap_or_default()
    }

    /// How many cases changed in which way, worst first.
    fn summary(&self) -> String {
        let told: Vec<String> = Change::ALL
            .iter()
            .map(|change| (self.counts.get(*change), words(*change)))
            .filter(|(count, _)| *count > 0)
            .map(|(count, change)| format!("{count} {change}"))
            .collect();
        if told.is_empty() { "no cases".to_owned() } else { told.join(", ") }
    }
}

/// A change in words.
fn words(change: Change) -> String {
    change.as_str().replace('_', " ")
}

fn outcome_of(entry: Option<&Entry>) -> Option<Outcome> {
    entry.map(|entry| side::outcome(entry.outcome))
}

/// What a reported failure is, beyond what varies in its message.
fn fingerprint_of(entry: &Entry) -> Fingerprint {
    let problem = entry.problem.as_deref();
    let errored = problem.is_some_and(|problem| problem.kind == ProblemKind::Error);
    let failure = Failure {
        class: FailureClass::Reported,
        blame: if errored { Blame::Measurement } else { Blame::Service },
        message: problem.map(|problem| problem.telling().to_owned()).unwrap_or_default(),
        step: None,
        expected: None,
        actual: None,
        subject: problem.and_then(|problem| problem.class.clone()),
        repro: None,
    };
    fingerprint(&failure, &Evidence::default())
}
