//! Part 9: what proves that the run touched the real thing, and what speaks against it.

use std::collections::{BTreeMap, BTreeSet};

use super::page::Page;
use super::{MAX_ROWS, cut_note, served};
use crate::domain::escape;
use crate::domain::event::{CommandEnded, CommandPart, ControlKind, Left, Moment, SurfaceReading};
use crate::domain::evidence::Exchange;
use crate::domain::observed::HostSeen;
use crate::domain::outcome::PhaseOutcome;
use crate::domain::state::CommandRecord;
use crate::report::view::{CaseView, SurfaceView, View};
use crate::report::words;

/// A certificate that ends within so many days is named.
const CERTIFICATE_DAYS: i64 = 14;

/// What was seen of one host.
#[derive(Default)]
struct Host<'a> {
    addresses: BTreeSet<&'a str>,
    exchanges: u32,
    connections: u32,
    sent: u64,
    received: u64,
    unencrypted: bool,
    days_left: Option<i64>,
    /// Whether some certificate was taken unchecked.
    unverified: bool,
}

/// Everything that went over the wire in a cycle.
#[derive(Default)]
struct Traffic<'a> {
    hosts: BTreeMap<&'a str, Host<'a>>,
    exchanges: u64,
    connections: u64,
    bytes: u64,
    /// Exchanges that were counted but not kept one by one.
    not_kept: u64,
}

pub fn write(page: &mut Page, view: &View<'_>) {
    page.section("Was this run real");
    if view.findings.is_some_and(|findings| findings.counts.ran() > 0) {
        traffic(page, view);
    } else if view.cases.iter().all(|case| case.attempts.is_empty()) {
        page.block("No case ran, so nothing was reached.");
    } else {
        traffic(page, view);
    }
    commands(page, view);
    surfaces(page, view);
    controls(page, view);
    doubts(page, view);
}

/// The cases whose every request is ours to see.
fn native<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = &'v CaseView<'a>> {
    let by_command =
        |case: &&CaseView<'_>| case.planned.is_some_and(|planned| planned.command.is_some());
    view.cases.iter().filter(move |case| !by_command(case))
}

fn traffic(page: &mut Page, view: &View<'_>) {
    if native(view).all(|case| case.attempts.is_empty()) {
        return;
    }
    let traffic = collect(view);
    let mut sentence = format!(
        "{} over {}, {} in all.",
        words::count(traffic.exchanges, "exchange", "exchanges"),
        words::count(traffic.connections, "new connection", "new connections"),
        words::bytes(traffic.bytes),
    );
    if traffic.not_kept > 0 {
        sentence.push_str(&format!(
            " {} of them only counted, not kept one by one.",
            words::number(traffic.not_kept)
        ));
    }
    if let Some(ended) = &view.state.suite_ended {
        sentence.push_str(&format!(" The suite took {}.", words::duration(ended.duration_ms)));
    }
    page.block(&sentence);
    let mut hosts: Vec<(&&str, &Host<'_>)> = traffic.hosts.iter().collect();
    hosts.sort_by_key(|(_, host)| std::cmp::Reverse(host.exchanges));
    let rows: Vec<Vec<String>> =
        hosts.iter().take(MAX_ROWS).map(|(name, host)| host_row(name, host)).collect();
    page.table(&["host", "addresses", "exchanges", "connections", "sent · received", "TLS"], &rows);
    page.block(&cut_note(view, hosts.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
}

fn collect<'a>(view: &View<'a>) -> Traffic<'a> {
    let mut traffic = Traffic::default();
    for attempt in native(view).flat_map(|case| case.attempts) {
        let evidence = &attempt.evidence;
        traffic.exchanges += u64::from(evidence.exchanges_total);
        traffic.connections += u64::from(evidence.connections);
        traffic.bytes += evidence.bytes_sent + evidence.bytes_received;
        let kept = evidence.exchanges.len() as u64;
        traffic.not_kept += u64::from(evidence.exchanges_total).saturating_sub(kept);
        for exchange in &evidence.exchanges {
            see(traffic.hosts.entry(host_of(&exchange.url)).or_default(), exchange);
        }
    }
    traffic
}

fn see<'a>(host: &mut Host<'a>, exchange: &'a Exchange) {
    host.addresses.extend(exchange.remote.as_deref());
    host.exchanges += 1;
    host.connections += u32::from(exchange.opened_connection());
    host.sent += exchange.bytes_sent;
    host.received += exchange.bytes_received;
    host.unencrypted |= !(exchange.url.starts_with("https:") || exchange.url.starts_with("wss:"));
    host.unverified |= exchange.tls.as_ref().is_some_and(|tls| !tls.verified);
    let left = exchange.tls.as_ref().map(|tls| tls.days_left);
    host.days_left = match (host.days_left, left) {
        (Some(known), Some(new)) => Some(known.min(new)),
        (known, new) => known.or(new),
    };
}

/// The host and port of an address, without parsing the rest.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn host_row(name: &str, host: &Host<'_>) -> Vec<String> {
    const SHOWN: usize = 4;
    let mut addresses: Vec<String> =
        host.addresses.iter().take(SHOWN).map(|address| escape::cell_code(address)).collect();
    match host.addresses.len() {
        0 => addresses.push("**none answered**".to_owned()),
        n if n > SHOWN => addresses.push(format!("{} more", n - SHOWN)),
        _ => {}
    }
    let tls = match host.days_left {
        Some(left) if left < 0 => "**certificate expired, accepted all the same**".to_owned(),
        Some(left) if left <= CERTIFICATE_DAYS => format!("**certificate ends in {left} days**"),
        Some(left) => format!("{left} days left"),
        None if host.unencrypted => "not encrypted".to_owned(),
        None => "–".to_owned(),
    };
    let tls = if host.unverified { format!("**not verified**, {tls}") } else { tls };
    vec![
        escape::cell_code(name),
        addresses.join(", "),
        words::number(host.exchanges),
        words::number(host.connections),
        format!("{} · {}", words::bytes(host.sent), words::bytes(host.received)),
        tls,
    ]
}

/// Tests that other tools ran: how each run ended, beside what its files say.
fn commands(page: &mut Page, view: &View<'_>) {
    let runs = &view.state.commands;
    let rows: Vec<Vec<String>> = runs.iter().take(MAX_ROWS).map(command_row).collect();
    page.table(&["command", "ended", "took", "cases", "failing", "result files"], &rows);
    page.block(&cut_note(view, runs.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
    let ended = || runs.iter().filter_map(|record| record.ended.as_ref());
    seen_by_proxies(page, view, ended());
    let mut remarks: Vec<String> = ended().flat_map(remarks_on).collect();
    let more = remarks.len().saturating_sub(MAX_ROWS);
    remarks.truncate(MAX_ROWS);
    remarks.extend(cut_note(view, more));
    page.list(&remarks);
}

fn command_row(record: &CommandRecord) -> Vec<String> {
    let run = &record.started.run;
    let which = match (run.part, run.shard) {
        (CommandPart::List, _) => " (list)".to_owned(),
        (CommandPart::Rerun, _) => " (again)".to_owned(),
        (CommandPart::Tests, Some(shard)) => format!(" (shard {shard})"),
        (CommandPart::Tests, None) => String::new(),
    };
    let name = format!("{}{which}", escape::cell_code(&run.command));
    let Some(ended) = &record.ended else {
        return vec![
            name,
            "nobody saw".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
        ];
    };
    let left = &ended.left;
    vec![
        name,
        escape::cell(&ended.detail),
        words::duration(ended.duration_ms),
        words::number(left.cases),
        words::number(left.failing),
        match run.part {
            CommandPart::List => "–".to_owned(),
            CommandPart::Tests | CommandPart::Rerun => files_of(left),
        },
    ]
}

/// Whom the commands talked to, where a proxy saw it; and whose traffic nobody saw.
fn seen_by_proxies<'a>(
    page: &mut Page,
    view: &View<'_>,
    ended: impl Iterator<Item = &'a CommandEnded>,
) {
    let mut hosts: Vec<(&CommandEnded, &HostSeen)> = Vec::new();
    let mut unseen: Vec<String> = Vec::new();
    for ended in ended.filter(|ended| ended.run.part != CommandPart::List) {
        match &ended.observed {
            Some(observed) if observed.hosts.is_empty() => page.block(&format!(
                "The proxy of {} saw **no connection**.",
                escape::code(&ended.run.command)
            )),
            Some(observed) => hosts.extend(observed.hosts.iter().map(|host| (ended, host))),
            None => unseen.push(escape::code(&ended.run.command)),
        }
    }
    hosts.sort_by_key(|(_, host)| std::cmp::Reverse(host.totals.connections));
    let rows: Vec<Vec<String>> =
        hosts.iter().take(MAX_ROWS).map(|(ended, host)| seen_row(ended, host)).collect();
    page.table(&["command", "host", "connections", "requests", "sent · received", ""], &rows);
    page.block(&cut_note(view, hosts.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
    unseen.sort();
    unseen.dedup();
    if !unseen.is_empty() {
        let whose = words::list(&unseen);
        page.block(&format!(
            "What {whose} sent over the network was not observed (`observe: proxy`)."
        ));
    }
}

fn seen_row(ended: &CommandEnded, host: &HostSeen) -> Vec<String> {
    let totals = &host.totals;
    let mut remarks = Vec::new();
    if totals.failed > 0 {
        remarks.push(format!("**{} could not be made**", words::number(totals.failed)));
    }
    if totals.refused > 0 {
        remarks.push(format!("**{} refused**: not one of `hosts`", words::number(totals.refused)));
    }
    vec![
        escape::cell_code(&ended.run.command),
        escape::cell_code(&host.host),
        words::number(totals.connections),
        words::number(totals.requests),
        format!("{} · {}", words::bytes(totals.bytes_sent), words::bytes(totals.bytes_received)),
        remarks.join(", "),
    ]
}

fn files_of(left: &Left) -> String {
    const SHOWN: usize = 3;
    let taken = left.files.iter().filter(|file| file.refused.is_none());
    let mut files: Vec<String> = taken
        .clone()
        .take(SHOWN)
        .map(|file| match &file.dialect {
            Some(dialect) => format!("{} {}", escape::cell_code(&file.path), escape::cell(dialect)),
            None => escape::cell_code(&file.path),
        })
        .collect();
    let refused = left.files.iter().filter(|file| file.refused.is_some()).count();
    let more = (left.files_total as usize).saturating_sub(files.len() + refused);
    if more > 0 {
        files.push(format!("{} more", words::number(more as u64)));
    }
    if files.is_empty() { "**none**".to_owned() } else { files.join(", ") }
}

/// What is wrong with the files of a run, and where they and the exit code do not agree.
fn remarks_on(ended: &CommandEnded) -> Vec<String> {
    let name = escape::code(&ended.run.command);
    let mut remarks = Vec::new();
    if ended.outcome == PhaseOutcome::Passed && ended.left.failing > 0 {
        let failing = words::count(ended.left.failing, "case is", "cases are");
        remarks.push(format!("{name} ended with exit 0 although {failing} failing."));
    }
    if ended.run.part == CommandPart::List && !ended.left.complete {
        remarks.push(format!(
            "The list of {name} **is not whole**: of a test beyond it nobody notices that it is gone."
        ));
    }
    for file in &ended.left.files {
        let path = escape::code(&file.path);
        remarks.extend(
            file.refused
                .iter()
                .map(|why| format!("{path} of {name} **was not taken**: {}", escape::text(why))),
        );
        remarks.extend(
            file.warnings.iter().map(|what| format!("{path} of {name}: {}", escape::text(what))),
        );
    }
    remarks
}

fn surfaces(page: &mut Page, view: &View<'_>) {
    let surfaces = view.surfaces();
    if surfaces.is_empty() {
        if view.cases.iter().all(|case| case.attempts.is_empty()) {
            // There are no results that would have to belong to a revision.
            return;
        }
        page.block(
            "No surface says which revision it serves (`ready.revision`), so nothing proves that these results belong to this one.",
        );
        return;
    }
    let rows: Vec<Vec<String>> = surfaces.iter().map(surface_row).collect();
    page.table(&["surface", "served before", "served after", ""], &rows);
}

fn surface_row(surface: &SurfaceView<'_>) -> Vec<String> {
    let say = |reading: Option<&SurfaceReading>| match reading {
        None => "not asked".to_owned(),
        Some(reading) => match (&reading.served, &reading.error) {
            (Some(said), _) => served_in_cell(said),
            (None, Some(error)) => escape::cell(error),
            (None, None) => "said nothing".to_owned(),
        },
    };
    let wanted = match surface.latest().and_then(|reading| reading.matches) {
        Some(true) => "the wanted revision",
        Some(false) => "**another revision**",
        None => "",
    };
    vec![escape::cell(surface.name), say(surface.before), say(surface.after), wanted.to_owned()]
}

fn served_in_cell(said: &str) -> String {
    if said.contains(['|', '`', '\\']) { escape::cell_code(said) } else { served(said) }
}

fn controls(page: &mut Page, view: &View<'_>) {
    let reads = view.state.controls.iter().map(|stamped| &stamped.what);
    let reads: Vec<_> = reads.filter(|read| read.of == ControlKind::Control).collect();
    if reads.is_empty() {
        return;
    }
    let mut items: Vec<String> = Vec::new();
    let mut held: Vec<&str> = Vec::new();
    for (moment, reading) in reads.iter().flat_map(|r| r.readings.iter().map(|x| (r.moment, x))) {
        match &reading.failure {
            None if !held.contains(&reading.name.as_str()) => held.push(&reading.name),
            None => {}
            Some(failure) => items.push(format!(
                "Control {} **failed** {}: {}",
                escape::text(&reading.name),
                when(moment),
                escape::text(failure)
            )),
        }
    }
    items.sort();
    items.dedup();
    if items.is_empty() {
        let names: Vec<String> =
            held.iter().take(MAX_ROWS).map(|name| escape::text(name)).collect();
        page.block(&format!("Controls held each time they were asked: {}.", words::list(&names)));
    } else {
        items.truncate(MAX_ROWS);
        page.list(&items);
    }
}

fn when(moment: Moment) -> &'static str {
    match moment {
        Moment::Before => "before the suite",
        Moment::During => "during the suite",
        Moment::After => "after the suite",
    }
}

/// What speaks against the run: passes that look too good, parts that were not acted on.
fn doubts(page: &mut Page, view: &View<'_>) {
    let suspicious = view.findings.map_or(&[][..], |findings| &findings.suspicious);
    let ran = view.counts().ran() > 0;
    if suspicious.is_empty() && ran {
        page.block("No pass looks too good. Which cases can fail at all was not checked.");
    }
    let mut items: Vec<String> = suspicious
        .iter()
        .take(MAX_ROWS)
        .map(|one| {
            format!(
                "{} looks too good: {}",
                escape::code(one.case.as_str()),
                escape::text(&one.why)
            )
        })
        .collect();
    items.extend(cut_note(view, suspicious.len().saturating_sub(MAX_ROWS)));
    let options = &view.state.queued.options;
    if let Some(only) = options.only.as_ref().filter(|_| !options.is_question()) {
        items.push(format!("Only cases like {} were planned (`--only`).", escape::code(only)));
    }
    if !options.deploy && options.is_question() {
        items.push("Nothing was deployed: the step before this one had deployed it.".to_owned());
    } else if !options.deploy {
        items.push("Nothing was deployed (`--no-deploy`): this tests what was there.".to_owned());
    }
    for part in &view.state.queued.definition.not_acted_on {
        items.push(format!("Left to `andon daemon`: {}", escape::text(part)));
    }
    let left_out = view.state.resolved.as_ref().map_or(&[][..], |resolved| &resolved.left_out);
    items.extend(
        left_out
            .iter()
            .take(10)
            .map(|entry| format!("Not laid out in the checkout: {}", escape::text(entry))),
    );
    items.extend(cut_note(view, left_out.len().saturating_sub(10)));
    page.list(&items);
}
