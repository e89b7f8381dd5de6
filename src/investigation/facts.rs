//! The parts of a document that the tool writes: what was seen, and nothing else.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::anchor::harmless;
use super::claims;
use super::document::{AGAIN, LAST_WHY, Meta, Slot};
use super::questions;
use crate::domain::attempt::Attempt;
use crate::domain::claim::{ClaimResult, FixClaim};
use crate::domain::commit::CommitInfo;
use crate::domain::escape::{self, Keep};
use crate::domain::event::{ControlKind, Moment};
use crate::domain::findings::{Cluster, Findings, InvestigationSnapshot, InvestigationState};
use crate::domain::history::{CycleRef, FailureChange};
use crate::domain::names::{CaseId, InvestigationId};
use crate::domain::outcome::Verdict;
use crate::domain::search::sure;
use crate::domain::state::CycleState;

/// At most so many cases, commits or occurrences are named.
const MAX_NAMED: usize = 30;
/// At most so many files of a commit.
const MAX_FILES: usize = 8;

/// How the state in words begins.
pub(super) const STATE: &str = "State: **";
/// How the heading of the observation begins, before its cycle.
pub(super) const OBSERVED: &str = "### Why 1. Observed in cycle ";
/// What stands before the number of a cycle, wherever one is named.
pub(super) const CYCLE: &str = "cycle ";
/// The row of what was seen that tells since when it fails.
pub(super) const FIRST_BAD: &str = "First bad";
/// How the line of a commit begins, before its name.
const COMMIT: &str = "- `";
const LAST_GOOD: &str = "Last good";
const CAUSE: &str = "Cause";
const SEEN: &str = "Seen";
/// The rows of what was seen in which the tool, and not the service, names cycles.
pub(super) const NAME_CYCLES: [&str; 4] = [FIRST_BAD, LAST_GOOD, CAUSE, SEEN];
/// What stands before the cycle from which on a failure is gone.
const GONE: &str = ", gone from cycle ";

/// What a document is made of after a cycle.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The document's id.
    pub id: &'a InvestigationId,
    /// The name of its file, without folder.
    pub file: &'a str,
    /// The cycle that opened it, as the records have it.
    pub opened_in: u32,
    /// The failure that it is about.
    pub cluster: &'a Cluster,
    /// What else was found out; its snapshots are not looked at.
    pub findings: &'a Findings,
    /// The cycle, up to the end of its suite.
    pub state: &'a CycleState,
    /// When the verdict was decided.
    pub decided_at: Timestamp,
    /// What the records say of the investigation.
    pub known: Known<'a>,
}

/// What the records say of an investigation. Where its document says something else of its state, the
/// document counts; its claims count besides those of the document.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its state before this cycle.
    pub state: InvestigationState,
    /// The cycle in which it came back before.
    pub reopened: Option<u32>,
    /// Whether it had passed in between: of a document that is lost nothing else tells.
    pub is_back: bool,
    /// The fixes that were claimed, as this cycle judged them.
    pub claims: &'a [FixClaim],
    /// What the records last held of the document. It is made of that again where its file is empty,
    /// and rows of cycles that the file lost are in it.
    pub last: Option<&'a InvestigationSnapshot>,
}

impl Known<'_> {
    /// Nothing: it is opened in this cycle.
    pub const NOTHING: Self = Self {
        state: InvestigationState::New,
        reopened: None,
        is_back: false,
        claims: &[],
        last: None,
    };
}

/// The lines of a slot after this cycle. `occurrences` are the rows of earlier cycles.
pub fn lines(slot: Slot, facts: &Facts<'_>, meta: &Meta, occurrences: &[String]) -> Vec<String> {
    let lines = match slot {
        Slot::Top => Vec::new(),
        Slot::Head => vec![format!("# {}: {}", facts.id, escape::text(&facts.cluster.title))],
        Slot::Status => status(meta, facts.known.claims),
        Slot::Seen => seen(facts),
        Slot::Commits => commits(facts),
        Slot::Occurrences => self::occurrences(facts, occurrences),
        Slot::Fixes => claims::lines(facts.known.claims),
        Slot::Why(1) => observation(facts),
        Slot::Why(number) if number <= LAST_WHY || meta.reopened.is_some() => why(number, facts),
        Slot::Why(_) => Vec::new(),
        Slot::Actions => actions(),
        Slot::Notes => vec![
            "## Notes".to_owned(),
            String::new(),
            "*Anything else that helps. Andon never changes what stands here.*".to_owned(),
        ],
        Slot::Kept => Vec::new(),
    };
    lines.iter().flat_map(|line| line.split('\n')).map(harmless).collect()
}

/// The heading of the appendix.
pub fn kept_heading() -> Vec<String> {
    vec![
        "## Kept from edits".to_owned(),
        String::new(),
        "*These lines stood in parts that Andon writes again after each cycle.*".to_owned(),
    ]
}

/// The cycle from which on the failure is gone, as the lines of the state in words tell it.
pub fn gone_in(status: &[String]) -> Option<u32> {
    let (_, after) = status.iter().find_map(|line| line.split_once(GONE))?;
    after.split_once(" on")?.0.parse().ok()
}

/// The state in words.
pub fn status(meta: &Meta, claims: &[FixClaim]) -> Vec<String> {
    let mut line = format!("{STATE}{}**, opened in {CYCLE}{}", meta.state, meta.opened);
    if let Some(cycle) = meta.reopened {
        let any = |says: fn(ClaimResult, u32) -> bool| {
            claims.iter().any(|claim| says(claim.result, cycle))
        };
        line.push_str(if any(ClaimResult::came_back_in) {
            ", came back after a verified fix"
        } else if any(ClaimResult::is_refuted_in) {
            ", claimed fix failed"
        } else {
            ", came back"
        });
        line.push_str(&format!(" in {CYCLE}{cycle}"));
    }
    if let Some(cycle) = meta.gone {
        line.push_str(&format!("{GONE}{cycle} on"));
    }
    line.push_str(&format!(". Fingerprint `{}`.", meta.fingerprint));
    let what_next = match meta.state {
        InvestigationState::New => "Nobody has answered yet: write below the questions.",
        InvestigationState::Analysed => "Answers stand below; more are welcome.",
        InvestigationState::Reopened => "What was thought before stands below.",
        InvestigationState::FixClaimed => "A fix is claimed; no cycle has had its commit yet.",
        InvestigationState::FixDeployed => {
            "A claimed fix is deployed; not every case of the failure has run on it yet."
        }
        InvestigationState::Verified => "The fix holds.",
        InvestigationState::Closed => "Nobody needs to look any more.",
    };
    vec![line, String::new(), format!("*{what_next} Andon writes only between its comments.*")]
}

fn seen(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = vec![
        "## What was seen".to_owned(),
        String::new(),
        "| | |".to_owned(),
        "|---|---|".to_owned(),
    ];
    lines.extend(rows(facts).into_iter().map(|(label, value)| format!("{}{value} |", row(label))));
    if let Some(command) = &facts.cluster.example.repro {
        lines.extend([String::new(), "Repeat by hand:".to_owned(), String::new()]);
        let block = escape::fenced(command, "sh", Keep::First, 20);
        lines.extend(block.trim_end().lines().map(str::to_owned));
    }
    lines
}

/// How a row of what was seen begins.
fn row(label: &str) -> String {
    format!("| {label} | ")
}

/// What such a row tells, by its name.
pub(super) fn label_of(row: &str) -> Option<&str> {
    Some(row.strip_prefix("| ")?.split_once(" | ")?.0)
}

fn rows(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let cluster = facts.cluster;
    let failure = &cluster.example;
    let optional =
        |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), escape::cell);
    let mut rows = vec![
        ("Symptom", escape::cell(&failure.message)),
        ("Class", format!("`{}`", cluster.class)),
        ("Expected", optional(&failure.expected)),
        ("Actual", optional(&failure.actual)),
        ("Step", optional(&failure.step)),
        ("Cases", cases(&cluster.cases)),
        (FIRST_BAD, first_bad(cluster)),
        (
            LAST_GOOD,
            cluster
                .last_good
                .as_ref()
                .map_or_else(|| "never, as far as the records go".to_owned(), reference),
        ),
        (CAUSE, format!("**{}**: {}", cluster.cause, escape::cell(&cluster.because))),
    ];
    rows.extend(culprit(facts).map(|culprit| ("Culprit", culprit)));
    rows.extend([
        (
            SEEN,
            match cluster.times_seen {
                1 => format!("once, in {CYCLE}{}", cluster.first_seen_cycle),
                more => format!("in {more} cycles, first in {CYCLE}{}", cluster.first_seen_cycle),
            },
        ),
        ("Same class elsewhere", elsewhere(facts)),
        ("Flaky before", flaky(facts)),
        ("Controls", controls(facts.state)),
        ("Surfaces", surfaces(facts.state)),
        ("Timing", timing(facts)),
    ]);
    rows
}

/// The commit that broke it, where a search found one: evidence, not the answer to a why.
fn culprit(facts: &Facts<'_>) -> Option<String> {
    let sha = facts.cluster.culprit.as_ref()?;
    let commits = facts.cluster.commits.iter().flat_map(|range| &range.commits);
    let commit = commits.into_iter().find(|commit| commit.sha == *sha);
    let commit = commit.map_or_else(String::new, |commit| {
        format!(" {} ({})", escape::cell(&commit.subject), escape::cell(&commit.author))
    });
    let failures = facts.findings.search.iter().flat_map(|search| &search.failures);
    let found = failures.into_iter().find(|f| f.fingerprint == facts.cluster.fingerprint);
    let sure = found.map_or_else(String::new, |found| {
        format!(", {}: {}", sure(found.confidence), escape::cell(&found.because))
    });
    Some(format!("`{}`{commit}, found by a search{sure}", sha.short()))
}

fn first_bad(cluster: &Cluster) -> String {
    let first = cluster.first_failing.as_ref().map_or_else(|| "not known".to_owned(), reference);
    match &cluster.failure_changed {
        Some(changed) => format!("{first}; in this way since {}", reference(&changed.to)),
        None => first,
    }
}

fn reference(at: &CycleRef) -> String {
    format!("{CYCLE}{}, `{}`", at.cycle, at.revision.short())
}

fn cases(ids: &[CaseId]) -> String {
    let mut named: Vec<String> =
        ids.iter().take(MAX_NAMED).map(|id| escape::cell_code(id.as_str())).collect();
    if ids.len() > MAX_NAMED {
        named.push(format!("{} more", ids.len() - MAX_NAMED));
    }
    named.join(", ")
}

fn elsewhere(facts: &Facts<'_>) -> String {
    let others = facts.findings.clusters.iter();
    let same = others.filter(|other| {
        other.class == facts.cluster.class && other.fingerprint != facts.cluster.fingerprint
    });
    let titles: Vec<String> = same.take(3).map(|other| escape::cell(&other.title)).collect();
    if titles.is_empty() {
        "no other failure of this class in this cycle".to_owned()
    } else {
        titles.join("; ")
    }
}

fn flaky(facts: &Facts<'_>) -> String {
    let of_cluster = |case: &CaseId| facts.cluster.cases.contains(case);
    // A cluster can be large; its cases are looked up only while there are few.
    if facts.cluster.cases.len() > 500 {
        return "not looked at: too many cases".to_owned();
    }
    let rated: Vec<String> = facts
        .findings
        .cases
        .iter()
        .filter_map(|finding| Some((finding, finding.flaky_rate?)))
        // Few cases have a rate, so only those are looked for in the cluster.
        .filter(|(finding, _)| of_cluster(&finding.case))
        .map(|(finding, rate)| {
            let case = escape::cell_code(finding.case.as_str());
            format!("{case} {} of {} runs", rate.flaky, rate.of)
        })
        .take(5)
        .collect();
    if rated.is_empty() {
        "none of its cases, as far as the records go".to_owned()
    } else {
        rated.join(", ")
    }
}

fn controls(state: &CycleState) -> String {
    let reads = state.controls.iter().filter(|stamped| stamped.what.of == ControlKind::Control);
    let readings: Vec<_> = reads.flat_map(|stamped| &stamped.what.readings).collect();
    let failed = readings.iter().find(|reading| reading.failure.is_some());
    match (readings.is_empty(), failed) {
        (true, _) => "none are set up".to_owned(),
        (false, None) => "all held".to_owned(),
        (false, Some(reading)) => format!("{} failed", escape::cell(&reading.name)),
    }
}

fn surfaces(state: &CycleState) -> String {
    let mut said = Vec::new();
    for (moment, word) in [(Moment::Before, "before"), (Moment::After, "after")] {
        let read = state.surfaces.iter().rev().find(|read| read.what.moment == moment);
        for reading in read.iter().flat_map(|read| &read.what.surfaces).take(8) {
            let served = reading.served.as_deref().unwrap_or("unknown");
            let served: String = served.trim().chars().take(12).collect();
            said.push(format!(
                "{} {} {word}",
                escape::cell(&reading.surface),
                escape::cell_code(&served)
            ));
        }
    }
    if said.is_empty() { "none say what they serve".to_owned() } else { said.join(", ") }
}

/// The attempt that stands for the failure: the last failing one of the first case that has one.
fn example<'a>(facts: &Facts<'a>) -> Option<&'a Attempt> {
    let state = facts.state;
    let mut cases = facts.cluster.cases.iter();
    cases.find_map(|case| {
        state.attempts_of(case).iter().rev().find(|attempt| attempt.failure.is_some())
    })
}

fn timing(facts: &Facts<'_>) -> String {
    let Some(attempt) = example(facts) else { return "–".to_owned() };
    let began = attempt.started_at.strftime("%Y-%m-%d %H:%M:%S UTC");
    format!("began {began}, took {} ms", attempt.duration_ms)
}

fn commits(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = vec!["## Commits between last good and first bad".to_owned(), String::new()];
    let cluster = facts.cluster;
    if let Some(FailureChange { from, to }) = &cluster.failure_changed {
        lines.push(format!(
            "The failure was another one until cycle {}: these are the commits between that cycle \
             and cycle {}.",
            from.cycle, to.cycle
        ));
        lines.push(String::new());
    }
    let Some(range) = cluster.commits.as_ref().filter(|range| !range.commits.is_empty()) else {
        if cluster.is_of_unknown_revision() {
            lines.push("None: nothing tells which revision was served.".to_owned());
        } else if cluster.suspects.is_empty() {
            lines.push("None: no commit lies between.".to_owned());
        }
        lines.extend(
            cluster.suspects.iter().take(MAX_NAMED).map(|sha| format!("{COMMIT}{}`", sha.short())),
        );
        return lines;
    };
    lines.push("The authors are whom to ask, not whom to blame.".to_owned());
    lines.push(String::new());
    lines.extend(range.commits.iter().take(MAX_NAMED).map(commit));
    let left_out = range.total.saturating_sub(range.commits.len().min(MAX_NAMED));
    if left_out > 0 {
        lines.push(format!("- … and {left_out} more"));
    }
    lines
}

fn commit(commit: &CommitInfo) -> String {
    let files: Vec<String> =
        commit.files.iter().take(MAX_FILES).map(|file| escape::code(file)).collect();
    let more = commit.files_total.max(commit.files.len()) - files.len();
    let more = if more > 0 { format!(" and {more} more files") } else { String::new() };
    let time = commit.time.strftime("%Y-%m-%d %H:%M UTC");
    let (subject, author) = (escape::text(&commit.subject), escape::text(&commit.author));
    let short = commit.sha.short();
    format!("{COMMIT}{short}` {subject} ({author}, {time}): {}{more}", files.join(", "))
}

/// The short name of a commit, and what is told of it, of a line that tells of one.
pub(super) fn commit_in(line: &str) -> Option<(&str, &str)> {
    let (short, rest) = line.strip_prefix(COMMIT)?.split_once("` ")?;
    let is_name = short.len() == 7 && short.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_name.then_some((short, rest))
}

fn occurrences(facts: &Facts<'_>, earlier: &[String]) -> Vec<String> {
    let cycle = facts.state.queued.cycle;
    // The records count: an older copy of the file, saved once more, lost rows.
    let recorded = facts.known.last.map_or(&[][..], |last| &last.occurrences);
    let known = earlier.iter().chain(recorded);
    let mut rows: BTreeMap<u32, String> =
        known.filter_map(|row| Some((occurrence_cycle(row)?, row.clone()))).collect();
    rows.insert(cycle, occurrence(facts));
    let rows: Vec<String> = rows.into_values().collect();
    let skipped = rows.len().saturating_sub(MAX_NAMED);
    let shown = &rows[skipped..];
    let not_listed = (facts.cluster.times_seen as usize).saturating_sub(shown.len());
    let mut lines = vec!["## Occurrences".to_owned(), String::new()];
    if not_listed > 0 {
        lines.push(format!("{not_listed} earlier ones are not listed."));
        lines.push(String::new());
    }
    lines.push("| Cycle | Revision | Decided | Cases | Verdict |".to_owned());
    lines.push("|---|---|---|---|---|".to_owned());
    lines.extend(shown.iter().cloned());
    lines
}

/// The rows among the lines of the part, for the records.
pub fn occurrence_rows(lines: Option<&Vec<String>>) -> Vec<String> {
    lines.into_iter().flatten().filter(|line| is_occurrence(line)).cloned().collect()
}

fn occurrence(facts: &Facts<'_>) -> String {
    let revision = facts.state.resolved.as_ref().map_or("-", |r| r.revision.sha.short());
    format!(
        "| {} | `{revision}` | {} | {} | {} |",
        facts.state.queued.cycle,
        facts.decided_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        facts.cluster.cases.len(),
        facts.findings.verdict,
    )
}

/// Whether a line is a row of occurrences exactly as the tool writes them, so that no word of a
/// person can be in it.
pub fn is_occurrence(line: &str) -> bool {
    occurrence_cycle(line).is_some()
}

pub(super) fn occurrence_cycle(line: &str) -> Option<u32> {
    let inner = line.trim_end().strip_prefix("| ")?.strip_suffix(" |")?;
    let cells: Vec<&str> = inner.split(" | ").collect();
    let [cycle, revision, decided, cases, verdict] = cells.as_slice() else { return None };
    let revision = revision.strip_prefix('`')?.strip_suffix('`')?;
    let is_revision =
        revision == "-" || (revision.len() == 7 && revision.bytes().all(|b| b.is_ascii_hexdigit()));
    let is_instant = decided.len() == 23
        && decided.ends_with(" UTC")
        && decided[..19].bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b' '));
    let is_row = is_revision
        && is_instant
        && cases.bytes().all(|b| b.is_ascii_digit())
        && Verdict::parse(verdict).is_some();
    is_row.then(|| cycle.parse().ok()).flatten()
}

fn observation(facts: &Facts<'_>) -> Vec<String> {
    let cluster = facts.cluster;
    let attempts = cluster.cases.iter().flat_map(|case| facts.state.attempts_of(case));
    let (failing, all) = attempts.fold((0_usize, 0_usize), |(failing, all), attempt| {
        (failing + usize::from(attempt.failure.is_some()), all + 1)
    });
    vec![
        "## Why did it happen".to_owned(),
        String::new(),
        format!("{OBSERVED}{}", facts.state.queued.cycle),
        String::new(),
        observed(cluster, failing, all),
    ]
}

/// The observation in one sentence, for the document and for the report.
pub fn observed(cluster: &Cluster, failing: usize, all: usize) -> String {
    let many = cluster.cases.len();
    let cases = if many == 1 { "1 case".to_owned() } else { format!("{many} cases") };
    let step = cluster.example.step.as_deref();
    let step = step.map_or(String::new(), |step| format!(" at step {}", escape::code(step)));
    format!(
        "{}: {cases}{step}, {failing} of {all} attempts.",
        escape::text(cluster.example.message.trim_end_matches('.'))
    )
}

fn why(number: u8, facts: &Facts<'_>) -> Vec<String> {
    let question = questions::question(number, facts.cluster);
    let branch = match number {
        5 => Some("## Why did earlier checks not catch it"),
        6 => Some("## Why did it reach staging"),
        AGAIN => Some("## Why did it come back"),
        _ => None,
    };
    let mut lines = Vec::new();
    if let Some(branch) = branch {
        lines.extend([branch.to_owned(), String::new()]);
    }
    lines.push(format!("### Why {number}. {}", question.text));
    lines.push(String::new());
    lines.push(format!("*Look at: {}.*", question.look_at));
    lines
}

fn actions() -> Vec<String> {
    vec![
        "## Countermeasures".to_owned(),
        String::new(),
        "*Kind: prevent, detect or mitigate. Proved by: the case that will show that it works.*"
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_untouched_row_is_an_occurrence() {
        let row = "| 7 | `4f1c2aa` | 2026-11-23 14:07:31 UTC | 5 | red |";
        assert_eq!(occurrence_cycle(row), Some(7));
        for touched in [
            "| 7 | `4f1c2aa` | 2026-11-23 14:07:31 UTC | 5 | red KEEP |",
            "| 7 | `4f1cKEE` | 2026-11-23 14:07:31 UTC | 5 | red |",
            "| 7 | `4f1c2aa` | 2026-11-23 KEEP:31 UTC | 5 | red |",
            "| 7 | `4f1c2aa` | 2026-11-23 14:07:31 UTC | 5 | red | KEEP",
        ] {
            assert!(!is_occurrence(touched), "{touched}");
        }
    }
}
