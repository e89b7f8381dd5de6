//! One cluster of failures in full: what it costs, what was expected, what came, since when, and who
//! could know more.

use super::page::Page;
use super::{culprit, fixes, headline, short};
use crate::domain::claim::ClaimResult;
use crate::domain::commit::CommitInfo;
use crate::domain::escape::{self, Keep};
use crate::domain::evidence::{Direction, Excerpt, Exchange, Frame, Protocol, TlsSeen};
use crate::domain::failure::{Blame, FailureClass};
use crate::domain::findings::{Cluster, InvestigationState};
use crate::domain::history::{CycleRef, FailureChange};
use crate::domain::search::SearchedFailure;
use crate::report::view::{CaseView, View};
use crate::report::words;

/// At most so many cases are named in a row.
const MAX_CASES: usize = 12;
/// At most so many commits are named as suspects.
const MAX_SUSPECTS: usize = 10;
/// At most so many files of a commit.
const MAX_FILES: usize = 5;
/// At most so many frames of a socket: the last ones, where it broke.
const MAX_FRAMES: usize = 8;

pub fn write(page: &mut Page, view: &View<'_>, cluster: &Cluster, number: usize) {
    let cases = words::count(cluster.cases.len() as u64, "case", "cases");
    let mut title = format!("{number} · {} — {cases}", escape::text(&cluster.title));
    if let Some(link) = investigation_link(view, cluster) {
        title.push_str(&format!(" — {link}"));
    }
    page.subsection(&title);
    body(page, view, cluster);
}

/// The same, folded until somebody opens it.
pub fn write_folded(page: &mut Page, view: &View<'_>, cluster: &Cluster, number: usize) {
    let cases = words::count(cluster.cases.len() as u64, "case", "cases");
    let summary = format!("{number} · {} — {cases}", escape::html_code(&cluster.title));
    page.details(&summary, |page| {
        page.block(&investigation_link(view, cluster).unwrap_or_default());
        body(page, view, cluster);
    });
}

fn body(page: &mut Page, view: &View<'_>, cluster: &Cluster) {
    page.block(&cost(view, cluster));
    let example = example(view, cluster);
    page.table(&["", ""], &rows(view, cluster, example));
    if let Some(exchange) = example.and_then(CaseView::telling_exchange) {
        answer(page, exchange);
    }
    if let Some(output) = example.and_then(CaseView::output) {
        told_by_tool(page, output, cluster.class);
    }
    repro(page, cluster);
}

/// The case that stands for all: the most important one that has an attempt of this failure.
pub(super) fn example<'v, 'a>(view: &'v View<'a>, cluster: &Cluster) -> Option<&'v CaseView<'a>> {
    let cases = || cluster.cases.iter().filter_map(|id| view.case(id));
    let same = |case: &&CaseView<'_>| {
        case.failure().is_some_and(|failure| failure.message == cluster.example.message)
    };
    cases().find(same).or_else(|| cases().find(|case| case.failure().is_some()))
}

fn cost(view: &View<'_>, cluster: &Cluster) -> String {
    let unmeasured = cluster.example.blame == Blame::Measurement;
    let mut cost = match headline::loss(view, cluster) {
        Some(loss) if unmeasured => {
            let loss = escape::text(loss.trim_end_matches('.'));
            format!("**What it costs:** not measured; if it is broken: {loss}.")
        }
        Some(loss) => {
            let loss = escape::text(loss.trim_end_matches('.'));
            format!("**What it costs:** {loss}.")
        }
        None => "**What it costs:** no case says (`impact` in the suite).".to_owned(),
    };
    if let Some(at_risk) = &view.state.queued.definition.at_risk {
        cost.push_str(&format!(" At risk: {}.", escape::text(at_risk.trim_end_matches('.'))));
    }
    if unmeasured {
        cost.push_str(" **Not measured:** the fault may be ours, not the service's.");
    }
    cost
}

fn rows(view: &View<'_>, cluster: &Cluster, example: Option<&CaseView<'_>>) -> Vec<Vec<String>> {
    let failure = &cluster.example;
    let mut rows = vec![("Class", format!("`{}`", cluster.class))];
    if let Some(expected) = &failure.expected {
        rows.push(("Expected", subject(failure.subject.as_deref(), &escape::cell(expected))));
    }
    if let Some(actual) = &failure.actual {
        rows.push(("Actual", escape::cell(actual)));
    }
    let is_told =
        |part: &Option<String>| part.as_ref().is_some_and(|part| failure.message.contains(part));
    if !(is_told(&failure.expected) && is_told(&failure.actual)) {
        rows.push(("Message", escape::cell(&failure.message)));
    }
    if let Some(step) = &failure.step {
        rows.push(("Step", escape::cell(step)));
    }
    rows.push(("Cases", case_list(cluster, MAX_CASES)));
    rows.push(("Attempts", attempts(view, cluster)));
    if let Some(exchange) = example.and_then(CaseView::telling_exchange) {
        rows.push(("Evidence", evidence(exchange)));
    }
    if view.is_question() {
        // An older commit is compared with nothing: the searched cycle tells since when and why.
        return in_cells(rows);
    }
    rows.push(("First seen", first_seen(view, cluster)));
    rows.push(("Last good", cluster.last_good.as_ref().map_or_else(never_good, reference)));
    let because = escape::cell(&cluster.because);
    rows.push(("Cause", format!("**{}**: {because}", cluster.cause)));
    rows.push(match culprit::row(view, cluster) {
        Some(culprit) => ("Culprit", culprit),
        None => ("Suspects", suspects(view, cluster)),
    });
    if let Some(tried) = fixes::tried(view, cluster) {
        rows.push(("Fixes tried", tried));
    }
    in_cells(rows)
}

fn in_cells(rows: Vec<(&str, String)>) -> Vec<Vec<String>> {
    rows.into_iter().map(|(label, value)| vec![label.to_owned(), value]).collect()
}

fn subject(subject: Option<&str>, expected: &str) -> String {
    match subject {
        Some(subject) => format!("{}: {expected}", escape::cell_code(subject)),
        None => expected.to_owned(),
    }
}

/// The cases of a cluster, cut with a count.
pub(super) fn case_list(cluster: &Cluster, max: usize) -> String {
    let shown = cluster.cases.iter().take(max).map(|id| escape::cell_code(id.as_str()));
    let mut list: Vec<String> = shown.collect();
    if cluster.cases.len() > max {
        list.push(format!("{} more", words::number((cluster.cases.len() - max) as u64)));
    }
    list.join(", ")
}

fn attempts(view: &View<'_>, cluster: &Cluster) -> String {
    let cases: Vec<&CaseView<'_>> = cluster.cases.iter().filter_map(|id| view.case(id)).collect();
    let all: usize = cases.iter().map(|case| case.attempts.len()).sum();
    let failing =
        cases.iter().flat_map(|case| case.attempts).filter(|a| a.failure.is_some()).count();
    let each: Vec<usize> = cases.iter().map(|case| case.attempts.len()).collect();
    match each.as_slice() {
        [first, rest @ ..]
            if failing == all && !rest.is_empty() && rest.iter().all(|n| n == first) =>
        {
            format!("{first} of {first} failed in each case")
        }
        _ => format!("{} of {} failed", words::number(failing as u64), words::number(all as u64)),
    }
}

fn evidence(exchange: &Exchange) -> String {
    let mut parts = vec![format!(
        "{} → {}",
        escape::cell_code(&format!("{} {}", exchange.method, exchange.url)),
        exchange
            .remote
            .as_deref()
            .map_or_else(|| "no address answered".to_owned(), escape::cell_code),
    )];
    if let Some(tls) = &exchange.tls {
        parts.push(tls_phrase(tls));
    }
    if let Some(status) = exchange.status {
        parts.push(format!("status {status}"));
    }
    if let Some(chosen) = &exchange.subprotocol {
        parts.push(format!("subprotocol {} accepted", escape::cell_code(chosen)));
    }
    if let Some(close) = &exchange.close {
        let reason = match close.reason.as_str() {
            "" => "no reason given".to_owned(),
            reason => format!("reason {}", escape::cell_code(reason)),
        };
        parts.push(format!(
            "closed with {} ({reason}) after {}",
            close.code,
            words::duration(close.at_ms)
        ));
    }
    if let Some(error) = &exchange.error {
        parts.push(escape::cell(error));
    }
    parts.push(format!("{} received", words::bytes(exchange.bytes_received)));
    parts.push(timing(exchange));
    parts.join(", ")
}

fn tls_phrase(tls: &TlsSeen) -> String {
    let left = match tls.days_left {
        left if left < 0 => "**expired**".to_owned(),
        left => format!("{left} days left"),
    };
    let unverified = if tls.verified { "" } else { "**not verified**, " };
    format!("TLS {} ({unverified}{left})", escape::cell_code(&tls.subject))
}

fn timing(exchange: &Exchange) -> String {
    let timings = &exchange.timings;
    let parts: Vec<String> = [
        ("resolve", timings.resolve_us),
        ("connect", timings.connect_us),
        ("TLS", timings.tls_us),
        ("first byte", timings.first_byte_us),
    ]
    .into_iter()
    .filter_map(|(what, us)| us.map(|us| format!("{what} {}", words::micros(us))))
    .collect();
    let total = format!("{} in all", words::micros(timings.total_us));
    if parts.is_empty() { total } else { format!("{} · {total}", parts.join(" · ")) }
}

fn reference(at: &CycleRef) -> String {
    format!("cycle {}, {}", at.cycle, short(&at.revision))
}

fn never_good() -> String {
    "never, as far as the records go".to_owned()
}

fn first_seen(view: &View<'_>, cluster: &Cluster) -> String {
    let this = view.state.queued.cycle;
    let failing = match &cluster.first_failing {
        Some(first) if first.cycle == this => "this cycle".to_owned(),
        Some(first) => format!("failing since {}", reference(first)),
        None => "not known".to_owned(),
    };
    let changed = cluster.failure_changed.as_ref().map(|changed| &changed.to);
    let failing = match changed {
        Some(to) => format!("{failing}, in this way since {}", reference(to)),
        None => failing,
    };
    // Seen before the present failure began: it came back.
    let began = changed.or(cluster.first_failing.as_ref()).map_or(this, |began| began.cycle);
    let earlier = cluster.first_seen_cycle < began;
    let seen = words::count(cluster.times_seen, "cycle", "cycles");
    let mut text = match (earlier, cluster.times_seen) {
        (true, _) => format!(
            "cycle {}, and in {seen} so far. **It came back:** {}",
            cluster.first_seen_cycle,
            if failing == "this cycle" { "failing since this cycle" } else { &failing },
        ),
        (false, 2..) => format!("{failing}, in {seen} so far"),
        (false, _) => failing,
    };
    if let Some(snapshot) = view.investigation(cluster) {
        match snapshot.state {
            InvestigationState::Reopened => {
                let cycle = snapshot.reopened_in;
                let when = cycle.map_or(String::new(), |n| format!(" in cycle {n}"));
                let id = &snapshot.id;
                let any = |says: fn(ClaimResult, u32) -> bool| {
                    cycle.is_some_and(|n| snapshot.claims.iter().any(|claim| says(claim.result, n)))
                };
                if any(ClaimResult::came_back_in) {
                    text.push_str(&format!(
                        ". A verified fix of {id} no longer holds and it was reopened{when}"
                    ));
                } else if any(ClaimResult::is_refuted_in) {
                    text.push_str(&format!(
                        ". A claimed fix of {id} failed and it was reopened{when}"
                    ));
                } else if !earlier || cycle != Some(began) {
                    // A failure that was only gone for a while was closed by nobody.
                    text.push_str(&format!(". {id} was reopened{when}"));
                }
            }
            InvestigationState::New
            | InvestigationState::Analysed
            | InvestigationState::FixClaimed
            | InvestigationState::FixDeployed
            | InvestigationState::Verified
            | InvestigationState::Closed => {}
        }
    }
    text
}

fn suspects(view: &View<'_>, cluster: &Cluster) -> String {
    let changed = cluster.failure_changed.as_ref().map(|FailureChange { from, to }| {
        format!("cycle {} and cycle {}, where the failure became this one", from.cycle, to.cycle)
    });
    if cluster.suspects.is_empty() {
        if culprit::searched(view, cluster).is_some_and(SearchedFailure::is_environment) {
            return "none: a search says that no commit did it".to_owned();
        }
        if changed.is_none() && cluster.last_good.is_none() {
            return "none: it was never seen good, so no commit is known to have broken it"
                .to_owned();
        }
        if cluster.is_of_unknown_revision() {
            return "none: nothing tells which revision was served".to_owned();
        }
        let between = changed.as_deref().unwrap_or("last good and first failing");
        return format!("none: no commit lies between {between}");
    }
    let mut lines: Vec<String> = cluster
        .suspects
        .iter()
        .take(MAX_SUSPECTS)
        .map(|sha| view.commit(cluster, sha).map_or_else(|| short(sha), commit_line))
        .collect();
    let all = cluster.suspects.len();
    // A search may have ruled some out.
    let range = cluster.commits.as_ref().filter(|range| range.commits.len() <= all);
    let total = range.map_or(all, |range| range.total);
    if total > lines.len() {
        lines.push(format!("… and {} more", words::number((total - lines.len()) as u64)));
    }
    if let Some(changed) = changed {
        lines.insert(0, format!("between {changed}:"));
    }
    lines.join("<br>")
}

/// A commit with the files it touches, for a table cell or a list item.
pub(super) fn commit_line(commit: &CommitInfo) -> String {
    let files: Vec<String> =
        commit.files.iter().take(MAX_FILES).map(|file| escape::cell_code(file)).collect();
    let total = commit.files_total.max(commit.files.len());
    let more = match total - files.len() {
        0 => String::new(),
        more => format!(" and {} more", words::count(more as u64, "file", "files")),
    };
    let files = if files.is_empty() { "no files".to_owned() } else { files.join(", ") };
    let (subject, author) = (escape::cell(&commit.subject), escape::cell(&commit.author));
    format!("{} {subject} ({author}) · {files}{more}", short(&commit.sha))
}

/// A link to the five-whys document, or its id while its file is not known.
pub(super) fn investigation_link(view: &View<'_>, cluster: &Cluster) -> Option<String> {
    match view.investigation(cluster) {
        Some(snapshot) if view.stands_alone => Some(snapshot.id.to_string()),
        Some(snapshot) => {
            let target = escape::destination(&format!("investigations/{}", snapshot.file));
            Some(format!("[{}]({target})", snapshot.id))
        }
        None => cluster.investigation.as_ref().map(ToString::to_string),
    }
}

/// What came back, literally: the frames of a socket, or the beginning of a body.
fn answer(page: &mut Page, exchange: &Exchange) {
    if !exchange.frames.is_empty() {
        frames(page, exchange);
        return;
    }
    let Some(body) = exchange.body.as_ref().filter(|body| !body.text.trim().is_empty()) else {
        return;
    };
    let cut = if body.cut {
        format!(", the beginning of {}", words::bytes(body.bytes))
    } else {
        String::new()
    };
    page.block(&format!("The answer's body{cut}:"));
    page.block(&escape::fenced(&escape::clip(&body.text, 1_200), "text", Keep::First, 15));
}

/// What a test tool says beyond one line: of a test its beginning, where the reason stands; of a command
/// as a whole the end, where it broke.
fn told_by_tool(page: &mut Page, output: &Excerpt, class: FailureClass) {
    let (what, keep) = match class {
        FailureClass::Command => ("The end of its output", Keep::Last),
        _ => ("What the tool says", Keep::First),
    };
    let cut = if output.cut {
        format!(", cut from {}", words::bytes(output.bytes))
    } else {
        String::new()
    };
    page.block(&format!("{what}{cut}:"));
    page.block(&escape::fenced(&output.text, "text", keep, 20));
}

fn frames(page: &mut Page, exchange: &Exchange) {
    let what = match exchange.protocol {
        Protocol::Ws => "frames of the socket",
        Protocol::Sse => "events of the stream",
        Protocol::Http => "parts of the answer",
    };
    let total = exchange.frames_total as usize;
    let skipped = exchange.frames.len().saturating_sub(MAX_FRAMES);
    let shown = &exchange.frames[skipped..];
    let which = if shown.len() == total { "The" } else { "Some" };
    let of =
        if shown.len() == total { String::new() } else { format!(" ({} of {total})", shown.len()) };
    page.block(&format!("{which} {what}{of}:"));
    let lines: Vec<String> = shown.iter().map(frame_line).collect();
    page.block(&escape::fenced(&lines.join("\n"), "text", Keep::First, MAX_FRAMES));
}

fn frame_line(frame: &Frame) -> String {
    let arrow = match frame.direction {
        Direction::Sent => "→",
        Direction::Received => "←",
    };
    let payload = frame.payload.text.replace(['\n', '\r'], " ");
    let payload = escape::clip(&payload, 160);
    format!(
        "{:>7} ms {arrow} {} {payload}",
        frame.at_ms,
        frame.event.as_deref().unwrap_or(&frame.kind)
    )
}

fn repro(page: &mut Page, cluster: &Cluster) {
    if let Some(command) = &cluster.example.repro {
        page.block("Repeat by hand:");
        page.block(&escape::fenced(command, "sh", Keep::First, 20));
    }
}
