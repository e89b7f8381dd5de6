//! Stories of commands and what a proxy saw of them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::domain::observed::{HostSeen, Totals};

const HOST: &str = "staging.example:443";

fn at(ms: i64) -> Timestamp {
    // Not at a whole second, as tools with milliseconds are seldom.
    Timestamp::from_millisecond(1_800_000_000_007 + ms).unwrap()
}

fn span(from: i64, to: i64) -> Span {
    Span { from: at(from), to: at(to) }
}

/// A connection that moved bytes in these stretches.
fn connection(host: &str, active: &[(i64, i64)]) -> ConnectionSeen {
    let (first, last) = (active[0].0, active[active.len() - 1].1);
    ConnectionSeen {
        host: host.to_owned(),
        began_at: at(first),
        ended_at: at(last),
        bytes_sent: 10,
        bytes_received: 20,
        active: active.iter().map(|(from, to)| span(*from, *to)).collect(),
    }
}

fn observed(connections: Vec<ConnectionSeen>) -> Observed {
    let mut observed = Observed::default();
    for seen in &connections {
        observed.hosts.push(HostSeen {
            host: seen.host.clone(),
            addresses: vec![],
            totals: Totals { connections: 1, ..Totals::default() },
            first_at: seen.began_at,
            last_at: seen.ended_at,
        });
    }
    Observed { connections, ..observed }
}

fn ids() -> [CaseId; 6] {
    ["a", "b", "c", "d", "e", "f"].map(|id| CaseId::parse(id).unwrap())
}

/// Cases one after the other, each of which begins at its time and takes so long.
fn cases<'a>(ids: &'a [CaseId], times: &[(i64, f64)]) -> Vec<ReportedRun<'a>> {
    let case = |(case, (began, took)): (&'a CaseId, &(i64, f64))| ReportedRun {
        case,
        passed: true,
        began_at: Some(at(*began)),
        took_ms: Some(*took),
        took_ms_before: None,
    };
    ids.iter().zip(times).map(case).collect()
}

fn whys(doubts: &[Suspicious]) -> Vec<(&str, &str)> {
    doubts.iter().map(|doubt| (doubt.case.as_str(), doubt.why.as_str())).collect()
}

#[test]
fn connections_go_to_the_case_that_ran_alone_at_the_time() {
    let ids = ids();
    let cases = cases(&ids, &[(0, 1000.0), (2000, 1000.0), (2500, 1000.0)]);
    let seen = observed(vec![
        connection(HOST, &[(100, 900)]),
        // While two ran.
        connection(HOST, &[(2600, 2900)]),
        // Kept by the first, and used by the third when it was alone.
        connection(HOST, &[(200, 300), (3300, 3400)]),
        // Used by the first alone, and then while two ran: whose bytes they were is not known.
        connection(HOST, &[(400, 500), (2700, 2800)]),
        // Between the cases.
        connection(HOST, &[(1500, 1600)]),
    ]);
    let told = attribute(&cases, &seen);
    let of = |case, connections, bytes_sent, bytes_received| CaseTraffic {
        case,
        connections,
        bytes_sent,
        bytes_received,
    };
    assert_eq!(told.cases, [of(&ids[0], 3, 10, 20), of(&ids[2], 1, 0, 0)]);
    assert_eq!(told.unattributed, 2);
}

#[test]
fn nothing_is_attributed_where_the_tool_gives_no_times() {
    let ids = ids();
    let mut cases = cases(&ids, &[(0, 1000.0)]);
    cases[0].began_at = None;
    let told = attribute(&cases, &observed(vec![connection(HOST, &[(0, 900)])]));
    assert_eq!(told, Attribution { cases: vec![], unattributed: 1 });
}

#[test]
fn a_pass_without_a_connection_while_it_ran_is_doubted() {
    let ids = ids();
    let cases = cases(&ids, &[(0, 1000.0), (2000, 512.5)]);
    let seen = observed(vec![connection(HOST, &[(100, 900)])]);
    let doubts = doubt_passes(&cases, Some(&seen), None);
    let why = "passed in 512.5 ms with no connection to the environment while it ran";
    assert_eq!(whys(&doubts), [("b", why)]);
}

#[test]
fn only_connections_to_the_environment_count() {
    let ids = ids();
    let cases = cases(&ids, &[(0, 1000.0)]);
    let seen = observed(vec![connection("registry.example:443", &[(100, 900)])]);
    let environment = HostList::new(["staging.example".to_owned()]);
    let doubts = doubt_passes(&cases, Some(&seen), Some(&environment));
    let why = "passed in 1000 ms with no connection of the command to the environment";
    assert_eq!(whys(&doubts), [("a", why)]);
    assert_eq!(doubt_passes(&cases, Some(&seen), None), []);
    let seen = observed(vec![connection("[::1]:8080", &[(100, 900)])]);
    let environment = HostList::new(["[::1]".to_owned()]);
    assert_eq!(doubt_passes(&cases, Some(&seen), Some(&environment)), []);
}

#[test]
fn without_times_of_cases_only_the_whole_command_is_doubted() {
    let ids = ids();
    let mut cases = cases(&ids, &[(0, 1000.0), (0, 1000.0)]);
    cases.iter_mut().for_each(|case| (case.began_at, case.took_ms) = (None, None));
    let seen = observed(vec![connection(HOST, &[(0, 10)])]);
    assert_eq!(doubt_passes(&cases, Some(&seen), None), []);
    let doubts = doubt_passes(&cases, Some(&Observed::default()), None);
    let why = "passed with no connection of the command to the environment";
    assert_eq!(whys(&doubts), [("a", why), ("b", why)]);
}

#[test]
fn no_absence_is_claimed_where_not_everything_was_kept() {
    let ids = ids();
    let cases = cases(&ids, &[(2000, 500.0)]);
    let mut seen = observed(vec![connection(HOST, &[(100, 900)])]);
    seen.more_connections = 1;
    assert_eq!(doubt_passes(&cases, Some(&seen), None), []);
}

#[test]
fn whole_seconds_are_taken_for_what_they_are() {
    let ids = ids();
    let mut cases = cases(&ids, &[(0, 100.0)]);
    cases[0].began_at = Some(Timestamp::from_second(1_800_000_000).unwrap());
    let seen = observed(vec![connection(HOST, &[(900, 950)])]);
    assert_eq!(doubt_passes(&cases, Some(&seen), None), []);
}

#[test]
fn failures_are_not_doubted_and_passes_in_no_time_are() {
    let ids = ids();
    let mut cases = cases(&ids, &[(0, 0.0), (0, 0.0)]);
    cases[1].passed = false;
    assert_eq!(whys(&doubt_passes(&cases, None, None)), [("a", "passed in 0 ms")]);
}

#[test]
fn durations_of_the_last_run_are_doubted_where_nearly_all_are() {
    let ids = ids();
    let mut cases =
        cases(&ids, &[(0, 512.3), (0, 20.0), (0, 31.7), (0, 44.0), (0, 1200.0), (0, 2.0)]);
    cases.iter_mut().for_each(|case| case.took_ms_before = case.took_ms);
    let doubts = doubt_passes(&cases, None, None);
    // Short durations are the same by chance.
    assert_eq!(doubts.len(), 5);
    assert_eq!(doubts[0].why, "took 512.3 ms as in the last run, and so did 5 of 5 cases");
    cases[0].took_ms_before = Some(512.4);
    assert_eq!(doubt_passes(&cases, None, None), []);
    assert_eq!(doubt_passes(&cases[1..5], None, None), []);
}
