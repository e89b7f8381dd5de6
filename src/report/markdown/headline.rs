//! Part 1: the title, what matters most in one sentence, and which revision this is about.

use super::page::Page;
use super::{actions, culprit, deploy, failure, fixes, served, short};
use crate::domain::escape::{self, Keep};
use crate::domain::event::{ControlKind, StepEnded};
use crate::domain::failure::Blame;
use crate::domain::findings::Cluster;
use crate::domain::history::{CycleRef, FailureChange};
use crate::domain::outcome::{Change, Outcome, PhaseOutcome, Verdict, VoidReason};
use crate::domain::state::StepRecord;
use crate::report::view::{SurfaceView, View};
use crate::report::{rollback, words};

/// So many lines of a failed step's output stand at the top.
pub(super) const OUTPUT_LINES: usize = 12;

pub fn write(page: &mut Page, view: &View<'_>) {
    let queued = &view.state.queued;
    let suite = view.suite_name().map_or_else(|| "no-suite".to_owned(), escape::text);
    let verdict = view.verdict().map_or("RUNNING".to_owned(), |v| v.as_str().to_uppercase());
    page.title(&format!("CYCLE {}: {} {suite}: {verdict}", queued.cycle, queued.pipeline));
    page.block(&format!("**{}** {}", claim(view), tally(view)));
    page.block(&identity(view));
    if let Some(output) = failed_output(view) {
        page.block(&escape::fenced(output, "text", Keep::Last, OUTPUT_LINES));
    }
    if let Some(told) = rollback::told(view.state, escape::text, short) {
        page.block(&words::capitalised(&told));
    }
    if let Some(ended) = loop_end(view) {
        page.block(&ended);
    }
    for note in notes(view) {
        page.block(&note);
    }
    if let Some(order) = order(view) {
        page.block(&order);
    }
}

/// What to do before anything else, where something is wrong: whoever is on call need not look for it.
fn order(view: &View<'_>) -> Option<String> {
    let is_wrong = view.verdict().is_some_and(|verdict| verdict != Verdict::Green);
    let (urgent, total) = actions::most_urgent(view).filter(|_| is_wrong)?;
    let more = match total - 1 {
        0 => String::new(),
        more => format!(" {more} more under *Next actions*."),
    };
    Some(format!("**Do first:** {urgent}{more}"))
}

/// The one thing that matters most, without its tally.
fn claim(view: &View<'_>) -> String {
    match (view.is_question(), view.verdict()) {
        (true, Some(Verdict::Green)) => answered(view, "yes, what regressed passes there."),
        (true, Some(Verdict::Red)) => answered(view, &format!("no. {}", red(view))),
        (true, verdict @ Some(_)) if !verdict.is_some_and(Verdict::has_valid_suite) => {
            answered(view, &format!("not known. {}", of_verdict(view)))
        }
        (true | false, _) => of_verdict(view),
    }
}

/// `Step 3 of the search for what broke cycle 7: is 4f1c2aa good? — yes, …`
fn answered(view: &View<'_>, answer: &str) -> String {
    let question = escape::text(&view.state.queued.trigger.detail);
    format!("{} — {answer}", words::capitalised(&question))
}

fn of_verdict(view: &View<'_>) -> String {
    match view.verdict() {
        None => format!("This cycle is not over: it is in phase {}.", view.state.phase()),
        Some(Verdict::Green) => green(view),
        Some(Verdict::Red) => red(view),
        Some(Verdict::Incomplete) => incomplete(view),
        Some(Verdict::Void) => void(view),
        Some(Verdict::DeployFailed) => deploy_failed(view),
        Some(Verdict::NotReady) => not_ready(view),
        Some(Verdict::Superseded) => "A newer commit took the place of this cycle.".to_owned(),
        Some(Verdict::Cancelled) => cancelled(view),
    }
}

fn revision(view: &View<'_>) -> String {
    view.revision().map_or_else(|| "the revision".to_owned(), |revision| short(&revision.sha))
}

/// What the results are of. Where nothing was deployed and no surface says what it serves, nobody knows
/// which revision passed.
fn tested(view: &View<'_>) -> String {
    if view.state.tested_its_revision() {
        return revision(view);
    }
    "what the environment serves: nothing was deployed, and no surface says which revision that is"
        .to_owned()
}

fn green(view: &View<'_>) -> String {
    let (counts, tested) = (view.counts(), tested(view));
    if counts.planned == 0 {
        return format!("{} is deployed and served; this pipeline has no suite.", revision(view));
    }
    if counts.passed == counts.planned {
        if counts.planned == 1 {
            return format!("The one planned case passed on {tested}.");
        }
        return format!("All {} cases passed on {tested}.", counts.planned);
    }
    let mut but = Vec::new();
    if counts.failing() > 0 {
        but.push(format!("{} failing in quarantine", counts.failing()));
    }
    if counts.flaky > 0 {
        but.push(format!("{} passed only after a failed attempt (flaky)", counts.flaky));
    }
    if counts.skipped > 0 {
        but.push(format!("{} skipped by the suite", counts.skipped));
    }
    if counts.not_run > 0 {
        but.push(format!("{} not run", counts.not_run));
    }
    format!("Every case that decides passed on {tested}; {}.", words::list(&but))
}

fn red(view: &View<'_>) -> String {
    let Some(worst) = deciding_cluster(view) else {
        return sentence(view.findings.map_or("", |findings| &findings.reason));
    };
    let title = escape::text(&worst.title);
    let cases = cases_of(view, worst);
    let since = since(view, worst);
    let what = match loss(view, worst) {
        // What could not be measured is no loss that anybody saw.
        Some(loss) if worst.example.blame == Blame::Measurement => {
            let loss = escape::text(loss.trim_end_matches('.'));
            format!("Not measured{since}: {title} ({cases}). What it would show: {loss}.")
        }
        None if worst.example.blame == Blame::Measurement => {
            format!("Not measured{since}: {title} ({cases}).")
        }
        Some(loss) => {
            let loss = escape::text(loss.trim_end_matches('.'));
            format!("{loss}{since}: {title} ({cases}).")
        }
        None => format!("{title}{since}: {cases}."),
    };
    let what = match culprit::claim(view, worst) {
        Some(culprit) => format!("{what} {culprit}"),
        None => what,
    };
    match view.clusters().len() - 1 {
        0 => what,
        1 => format!("{what} There is 1 other failure."),
        others => format!("{what} There are {} other failures.", words::number(others as u64)),
    }
}

/// `` `test_001` and 3 more cases ``: the case whose failure the title tells, and how many share it.
fn cases_of(view: &View<'_>, cluster: &Cluster) -> String {
    let told = failure::example(view, cluster).map(|case| escape::code(case.id.as_str()));
    match (told, cluster.cases.len() as u64) {
        (None, cases) => words::count(cases, "case", "cases"),
        (Some(told), 0 | 1) => told,
        (Some(told), cases) => {
            format!("{told} and {}", words::count(cases - 1, "more case", "more cases"))
        }
    }
}

/// The worst cluster with a case that decides; when all are in quarantine the verdict has another
/// reason.
fn deciding_cluster<'a>(view: &View<'a>) -> Option<&'a Cluster> {
    let decides = |cluster: &&Cluster| {
        cluster.cases.iter().filter_map(|id| view.case(id)).any(|case| case.decides())
    };
    view.clusters().iter().find(decides)
}

/// What a failure costs: in the words of its most important case, else of the pipeline.
pub(super) fn loss<'a>(view: &View<'a>, cluster: &Cluster) -> Option<&'a str> {
    let cases = cluster.cases.iter().filter_map(|id| view.case(id));
    let told = cases.filter(|case| case.impact().is_some()).min_by_key(|case| case.priority());
    let own = told.and_then(|case| case.impact());
    own.or(view.state.queued.definition.impact.as_deref())
}

fn since(view: &View<'_>, cluster: &Cluster) -> String {
    // Where nothing tells what was served, the revision beside the cycle would be read as the culprit.
    let of = |at: &CycleRef| match cluster.is_of_unknown_revision() {
        true => String::new(),
        false => format!(" ({})", short(&at.revision)),
    };
    let since = match &cluster.first_failing {
        Some(first) if first.cycle == view.state.queued.cycle => {
            format!(" since this cycle{}", of(first))
        }
        Some(first) => format!(" since cycle {}{}", first.cycle, of(first)),
        None => String::new(),
    };
    match &cluster.failure_changed {
        Some(FailureChange { to, .. }) => {
            format!("{since}, in this way since cycle {}{}", to.cycle, of(to))
        }
        None => since,
    }
}

fn incomplete(view: &View<'_>) -> String {
    let counts = view.counts();
    format!(
        "Nothing that ran is failing, but {} of {} cases did not run{}: nothing is known about them.",
        counts.not_run,
        counts.planned,
        not_run_reason(view),
    )
}

/// ` (the suite's time was over)`: the most frequent reason.
fn not_run_reason(view: &View<'_>) -> String {
    let reasons = super::lists::not_run_reasons(view);
    reasons.first().map_or_else(String::new, |(why, _)| format!(" ({why})"))
}

fn void(view: &View<'_>) -> String {
    let why = match view.void_reason() {
        Some(VoidReason::RevisionChanged) => moved_surface(view),
        Some(VoidReason::ControlFailed) => failed_control(view, ControlKind::Control),
        Some(VoidReason::SuiteChanged) => suite_changed(view),
        Some(VoidReason::NoResults) => Some("nothing ran".to_owned()),
        None => None,
    };
    let reason = || escape::text(view.findings.map_or("", |f| f.reason.trim_end_matches('.')));
    let why = why.unwrap_or_else(reason);
    format!("These results count for nothing: {why}.")
}

fn moved_surface(view: &View<'_>) -> Option<String> {
    let surfaces = view.surfaces();
    let moved = |surface: &SurfaceView<'_>| {
        let before = surface.before?.served.clone()?;
        let later = surface.during.iter().copied().chain(surface.after);
        let other = later.filter_map(|reading| reading.served.clone()).find(|s| *s != before)?;
        let name = escape::text(surface.name);
        Some(format!(
            "{name} served {} when the suite began and {} later, so they belong to no revision",
            served(&before),
            served(&other)
        ))
    };
    surfaces.iter().find_map(moved)
}

fn failed_control(view: &View<'_>, kind: ControlKind) -> Option<String> {
    // Of controls the first failure made the cycle void; checks are asked until they pass, so there
    // the last one counts.
    let (moment, reading) = match kind {
        ControlKind::Control => view.state.failed_reading(kind),
        ControlKind::Check => view.state.last_failed_reading(kind),
    }?;
    let name = escape::text(&reading.name);
    let failure = escape::text(reading.failure.as_deref().unwrap_or_default());
    let what = match kind {
        ControlKind::Control => "control",
        ControlKind::Check => "check",
    };
    Some(format!("{what} “{name}” failed {moment} the suite ({failure})"))
}

fn suite_changed(view: &View<'_>) -> Option<String> {
    let plan = view.state.plan.as_ref()?;
    let expected = plan.expected_cases?;
    let planned = plan.cases.len();
    let planned = words::count(planned as u64, "case was", "cases were");
    Some(format!(
        "{planned} planned and the pipeline expects {expected}: the suite changed under us"
    ))
}

fn deploy_failed(view: &View<'_>) -> String {
    let environment = escape::text(view.state.queued.environment.as_str());
    let what = format!("{} was not deployed to {environment}", revision(view));
    match failed_step(view) {
        Some((step, ended)) => format!(
            "{what}: step “{}” {}{} ({}).",
            escape::text(&step.started.name),
            ending(ended.outcome),
            deploy::took(ended)
                .map_or_else(String::new, |ms| format!(" after {}", words::duration(ms))),
            escape::text(&ended.detail),
        ),
        None => format!("{what}: {}", sentence(view.findings.map_or("", |f| &f.reason))),
    }
}

pub(super) fn ending(outcome: PhaseOutcome) -> &'static str {
    match outcome {
        PhaseOutcome::Passed => "passed",
        PhaseOutcome::Failed => "failed",
        PhaseOutcome::Skipped => "was skipped",
        PhaseOutcome::TimedOut => "ran out of time",
        PhaseOutcome::Cancelled => "was cancelled",
        PhaseOutcome::Interrupted => "was interrupted",
        PhaseOutcome::Errored => "could not be run",
    }
}

/// The step that ended the deploy.
pub(super) fn failed_step<'a>(view: &View<'a>) -> Option<(&'a StepRecord, &'a StepEnded)> {
    let ended = view.state.steps.iter().rev().filter_map(|step| Some((step, step.ended.as_ref()?)));
    ended.into_iter().find(|(_, ended)| !ended.outcome.went_well())
}

/// The end of the output of the step that ended the deploy.
pub(super) fn failed_output<'a>(view: &View<'a>) -> Option<&'a str> {
    if view.verdict() != Some(Verdict::DeployFailed) {
        return None;
    }
    let output = failed_step(view)?.1.output.as_ref()?;
    (!output.text.trim().is_empty()).then_some(output.text.as_str())
}

fn not_ready(view: &View<'_>) -> String {
    let environment = escape::text(view.state.queued.environment.as_str());
    let wrong: Vec<String> = view.surfaces().iter().filter_map(wrong_surface).collect();
    let why = if wrong.is_empty() {
        failed_control(view, ControlKind::Check)
            .unwrap_or_else(|| sentence(view.findings.map_or("", |f| &f.reason)))
    } else {
        words::list(&wrong)
    };
    let why = why.trim_end_matches('.');
    format!(
        "{environment} was never ready with {}, though its deploy ended well: {why}.",
        revision(view)
    )
}

fn wrong_surface(surface: &SurfaceView<'_>) -> Option<String> {
    let reading = surface.latest().filter(|reading| reading.matches != Some(true))?;
    let name = escape::text(surface.name);
    Some(match (&reading.served, &reading.error) {
        (Some(said), _) => format!("{name} serves {}", served(said)),
        (None, Some(error)) => {
            format!("{name} did not say what it serves ({})", escape::text(error))
        }
        (None, None) => format!("{name} did not say what it serves"),
    })
}

fn cancelled(view: &View<'_>) -> String {
    sentence(view.findings.map_or("cancelled", |findings| &findings.reason))
}

/// `Ran 25 of 25: 20 passed, 5 failing. 5 regressed, 1 fixed.`
fn tally(view: &View<'_>) -> String {
    let counts = view.counts();
    let ran = format!("Ran {} of {}", counts.ran(), counts.planned);
    match view.verdict() {
        Some(Verdict::Green | Verdict::Red | Verdict::Incomplete) => {
            format!("{ran}: {}. {}", outcomes(view), movement(view))
        }
        Some(Verdict::Void | Verdict::Cancelled) => {
            format!("{ran}; none of it is credited to a revision or compared with.")
        }
        Some(Verdict::DeployFailed | Verdict::NotReady) => {
            format!("{ran}: the suite was not started, so nothing is known about this revision.")
        }
        Some(Verdict::Superseded) => format!("{ran}."),
        None => format!("{ran} so far."),
    }
}

fn outcomes(view: &View<'_>) -> String {
    let counts = view.counts();
    let mut parts =
        vec![format!("{} passed", counts.passed), format!("{} failing", counts.failing())];
    for (how_many, what) in
        [(counts.flaky, "flaky"), (counts.skipped, "skipped"), (counts.not_run, "not run")]
    {
        if how_many > 0 {
            parts.push(format!("{how_many} {what}"));
        }
    }
    parts.join(", ")
}

fn movement(view: &View<'_>) -> String {
    if view.is_question() {
        return "An older commit is compared with nothing.".to_owned();
    }
    let Some(baseline) = view.findings.and_then(|findings| findings.baseline.as_ref()) else {
        return "First cycle with results: there is nothing to compare with.".to_owned();
    };
    let moves = [
        (Change::Regressed, "regressed"),
        (Change::NewFailing, "new and failing"),
        (Change::ChangedFailure, "failing for another reason"),
        (Change::StillFailing, "still failing"),
        (Change::Fixed, "fixed"),
        (Change::Removed, "removed"),
    ];
    let parts: Vec<String> = moves
        .into_iter()
        .map(|(change, what)| (view.changed(change).count(), what))
        .filter(|(how_many, _)| *how_many > 0)
        .map(|(how_many, what)| format!("{how_many} {what}"))
        .collect();
    let moved = match parts.as_slice() {
        [] if view.counts().not_run > 0 => {
            format!("Of those that ran, none regressed since cycle {}", baseline.cycle)
        }
        [] => format!("Nothing regressed since cycle {}", baseline.cycle),
        parts => format!("Since cycle {}: {}", baseline.cycle, parts.join(", ")),
    };
    format!("{moved}{}.", carried(view))
}

/// What is known of the cases that did not run, and that it is not of this run.
fn carried(view: &View<'_>) -> String {
    let not_run = || view.with_outcome(Outcome::NotRun).filter_map(|case| case.finding);
    let carried = || not_run().filter_map(|finding| finding.carried.as_ref());
    let good = carried().filter(|carried| !carried.outcome.is_failing()).count();
    let bad = carried().count() - good;
    if good + bad == 0 {
        return String::new();
    }
    format!(
        "; last known of those that did not run, from earlier cycles: {good} passing, {bad} failing"
    )
}

/// Which revision this is, and what was really serving.
fn identity(view: &View<'_>) -> String {
    let revision = match view.revision() {
        Some(revision) => format!(
            "Revision {} {} ({}){}",
            short(&revision.sha),
            escape::text(&revision.subject),
            escape::text(&revision.author),
            revision
                .branch
                .as_deref()
                .map_or(String::new(), |b| format!(" on {}", escape::code(b))),
        ),
        None => "The revision was not resolved".to_owned(),
    };
    let at = view.decided_at().unwrap_or_else(|| view.started_at());
    format!("{revision} · serving: {} · {}", serving(view), words::instant(at))
}

fn serving(view: &View<'_>) -> String {
    let said: Vec<String> = view
        .surfaces()
        .iter()
        .map(|surface| {
            let said = surface.latest().and_then(|reading| reading.served.as_deref());
            format!("{} {}", escape::text(surface.name), said.map_or("unknown".to_owned(), served))
        })
        .collect();
    if said.is_empty() { "no surface was asked".to_owned() } else { said.join(", ") }
}

/// That no cycle follows by itself although this one is not green, and what begins the loop anew.
fn loop_end(view: &View<'_>) -> Option<String> {
    let why = escape::text(view.findings?.gave_up.as_deref()?);
    let name = &view.state.queued.pipeline;
    Some(format!(
        "**The loop ends here:** {why}. A new commit, a schedule or `andon trigger {name}` begins it anew."
    ))
}

/// What changes how the figures may be read: said on top, not in a footnote.
fn notes(view: &View<'_>) -> Vec<String> {
    let Some(findings) = view.findings.filter(|_| view.is_valid()) else { return Vec::new() };
    let mut notes = fixes::notes(view);
    let options = &view.state.queued.options;
    if let Some(of) = options.search_of.filter(|_| options.is_question()) {
        notes.push(format!(
            "**A question to an older commit:** only what regressed in cycle {of} was run, and what it says \
             counts for this search alone: for no rate, no trend and no comparison."
        ));
    } else if let Some(only) = &options.only {
        notes.push(format!(
            "**Only a part of the suite:** cases like {} (`--only`). About all others this cycle says nothing.",
            escape::code(only),
        ));
    }
    let redefined = findings.cases.iter().filter(|case| case.definition_changed).count();
    if redefined > 0 {
        notes.push(format!(
            "**The suite changed:** {} defined otherwise than when last run, so for {} the comparison is weak.",
            words::count(redefined as u64, "case is", "cases are"),
            if redefined == 1 { "it" } else { "them" },
        ));
    }
    if let Some(gone) = actions::gone(view) {
        notes.push(format!(
            "**{gone}**. Whether what they showed is repaired, no case says any more."
        ));
    }
    if view.verdict() == Some(Verdict::Red) && view.counts().not_run > 0 {
        let blocked = view.with_outcome(Outcome::NotRun).count() as u64;
        notes.push(format!(
            "**{} did not run**{}: what they would have shown is unknown.",
            words::count(blocked, "case", "cases"),
            not_run_reason(view),
        ));
    }
    if !findings.suspicious.is_empty() && view.verdict() == Some(Verdict::Green) {
        notes.push(format!(
            "**{} too good to be true:** see “Was this run real”.",
            words::count(findings.suspicious.len() as u64, "pass looks", "passes look"),
        ));
    }
    notes
}

fn sentence(text: &str) -> String {
    let text = escape::text(text.trim_end_matches('.'));
    format!("{}.", words::capitalised(&text))
}
