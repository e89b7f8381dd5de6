//! The forms for machines: JSON with its schema, JUnit, the recount, the index pages.

use std::sync::Arc;

use andon::domain::event::{Held, Moment, NotRunReason, ResumeAs, Resumed, StoppedBy};
use andon::domain::outcome::{Change, Outcome, Phase, PhaseOutcome, Verdict, VoidReason};
use andon::domain::state::{CycleState, PhaseRecord};
use andon::report::index::{PipelineLine, all_index, pipeline_chart, pipeline_index};
use andon::report::json::{CycleJson, cycle_json, schema};
use andon::report::view::View;
use andon::report::{Contradiction, ReportFile, comment, drafts, junit, markdown, verify};

use crate::cycles::{CASES, HEAD, Story, cluster, http_evidence, http_failure};
use crate::golden::compare;
use crate::stories;

#[test]
fn every_cycle_fits_the_schema_and_survives_a_round_trip() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (name, state) in stories::all() {
        let json = cycle_json(&state);
        let errors: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let read: CycleJson<'static> = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json, "{name}");
    }
    let mut wrong = cycle_json(&stories::auth_broken());
    wrong["verdict"] = "fine".into();
    assert!(!validator.is_valid(&wrong), "the schema takes anything");
}

#[test]
fn the_json_form_has_the_fields_of_the_contract() {
    compare(
        "auth-broken.json",
        &(serde_json::to_string_pretty(&cycle_json(&stories::auth_broken())).unwrap() + "\n"),
    );
}

#[test]
fn a_cycle_that_runs_has_no_verdict_yet() {
    let mut story = Story::new(3);
    story.resolve().deployed().ready().plan(&CASES).passes(CASES[0].0);
    let json = cycle_json(&story.state);
    assert!(
        json["verdict"].is_null() && json["finished_at"].is_null() && json["duration_ms"].is_null()
    );
    assert_eq!(json["suite"]["planned"], 10);
    assert_eq!(json["cases"][0]["attempts"], 1);
    assert!(markdown::render(&story.state).starts_with("# CYCLE 3: chat-staging P1: RUNNING\n"));
    assert_eq!(told(&story.state), [""; 0]);
}

#[test]
fn a_cycle_is_not_finished_while_its_way_back_runs_or_waits_for_a_person() {
    let mut state = stories::deploy_failed();
    state.phases.push(PhaseRecord {
        phase: Phase::Rollback,
        outcome: None,
        started_at: state.queued_at,
        deadline_at: None,
        duration_ms: 0,
        detail: None,
    });
    let runs = cycle_json(&state);
    assert_eq!((&runs["phase"], &runs["held"]), (&"rollback".into(), &serde_json::Value::Null));
    state.held = Some(Held { reason: "nobody saw how it ended".to_owned() });
    let held = cycle_json(&state);
    assert_eq!(held["held"]["reason"], "nobody saw how it ended");
    assert!(held["finished_at"].is_string(), "the verdict was decided");
    assert!(jsonschema::is_valid(&schema(), &held));
    // A person's word ends the question, and the report's file says what the end will say.
    state.resumed = Some(Resumed { decision: ResumeAs::Failed, by: "ada".to_owned() });
    assert!(cycle_json(&state)["held"].is_null());
    state.phases.last_mut().unwrap().outcome = Some(PhaseOutcome::Failed);
    assert_eq!(cycle_json(&state)["phase"], "finished");
}

#[test]
fn a_control_that_failed_twice_is_told_as_the_verdict_rests_on_it() {
    let mut story = Story::new(11);
    story.resolve().deployed();
    story.controls(Moment::Before, Some("refused")).controls(Moment::After, Some("timed out"));
    story.plan(&CASES).suite_ends(None, vec![]);
    let state = story.void(VoidReason::ControlFailed);
    let report = markdown::render(&state);
    let line = report.lines().nth(2).unwrap_or_default();
    assert!(line.contains("failed before the suite (refused)"), "{line}");
}

fn told(state: &andon::domain::state::CycleState) -> Vec<String> {
    let json = CycleJson::of(state);
    let found = verify(&json, Some(&markdown::render(state)));
    found.into_iter().map(|c| format!("{}: {}", c.place, c.what)).collect()
}

#[test]
fn what_is_written_is_free_of_contradictions() {
    for (name, state) in stories::all() {
        assert_eq!(told(&state), [""; 0], "{name}");
    }
}

#[test]
fn a_certificate_that_nobody_checked_is_said_to_be_so() {
    let mut state = stories::auth_broken();
    assert!(!markdown::render(&state).contains("not verified"));
    let attempts = state.attempts.values_mut().flatten();
    let exchanges = attempts.flat_map(|attempt| &mut attempt.evidence.exchanges);
    exchanges.filter_map(|exchange| exchange.tls.as_mut()).for_each(|tls| tls.verified = false);
    let text = markdown::render(&state);
    assert!(text.contains("TLS `*.staging.example.com` (**not verified**, 61 days left)"));
    assert!(text.contains("| **not verified**, 61 days left |"), "{text}");
}

/// Changes one thing in a sound report and returns what the recount says.
fn tampered(change: impl FnOnce(&mut CycleJson<'static>, &mut String)) -> Vec<Contradiction> {
    let state = stories::auth_broken();
    let mut json: CycleJson<'static> = serde_json::from_value(cycle_json(&state)).unwrap();
    let mut text = markdown::render(&state);
    change(&mut json, &mut text);
    verify(&json, Some(&text))
}

#[test]
fn every_kind_of_contradiction_is_found() {
    type Change2 = fn(&mut CycleJson<'static>, &mut String);
    let changes: [(&str, Change2); 14] = [
        ("a count", |json, _| json.suite.as_mut().unwrap().passed += 1),
        ("completed", |json, _| json.suite.as_mut().unwrap().completed -= 1),
        ("fixed and failing at once", |json, _| {
            let id = json.changes.regressed[0].clone();
            json.changes.fixed.push(id);
        }),
        ("a change that no list has", |json, _| {
            json.cases[0].change = Some(Change::Fixed.as_str().into())
        }),
        ("a case twice", |json, _| {
            let case = json.cases[0].clone();
            json.cases.push(case);
        }),
        ("carried shown as run", |json, _| {
            json.cases[0].carried = Some(andon::report::json::CarriedJson {
                cycle: 1,
                revision: "x".into(),
                outcome: "passed".into(),
            });
        }),
        ("failing without a failure", |json, _| json.cases[0].failure = None),
        ("an unknown case in a list", |json, _| json.changes.removed.push("ghost".into())),
        ("a cluster with a passing case", |json, _| {
            json.clusters[0].cases.push("test_007_agent_execution".into());
        }),
        ("a case in two clusters", |json, _| {
            let id = json.clusters[0].cases[0].clone();
            json.clusters[1].cases.push(id);
        }),
        ("green with reds", |json, text| {
            json.verdict = Some("green".into());
            *text = text.replacen(": RED", ": GREEN", 1);
        }),
        ("the headline's ran", |_, text| *text = text.replacen("Ran 10 of 10", "Ran 9 of 10", 1)),
        ("the title's verdict", |_, text| *text = text.replacen(": RED", ": GREEN", 1)),
        ("another revision", |_, text| *text = text.replace("4f1c2aa", "1111111")),
    ];
    for (name, change) in changes {
        assert!(!tampered(change).is_empty(), "{name} was not found");
    }
    assert!(tampered(|_, _| {}).is_empty());
}

#[test]
fn junit_reads_as_common_readers_take_it() {
    compare("auth-broken.junit.xml", &junit::render(&stories::auth_broken()));
    compare("unsteady.junit.xml", &junit::render(&stories::unsteady()));
    let void = junit::render(&stories::void());
    assert_eq!(void.matches("<skipped").count(), 10, "nothing of a void cycle is credited");
    assert_eq!(void.matches("<error ").count(), 1);
    for (name, state) in stories::all() {
        assert_well_formed(name, &junit::render(&state));
    }
}

#[test]
fn hostile_text_leaves_junit_well_formed() {
    let mut story = stories::auth_broken_story();
    for attempts in story.state.attempts.values_mut() {
        for failure in attempts.iter_mut().filter_map(|attempt| attempt.failure.as_mut()) {
            Arc::make_mut(failure).message = "]]> <x a=\"'&\u{0}\u{1b}[31m\u{fffe}\r\n".into();
        }
    }
    assert_well_formed("hostile", &junit::render(&story.decided(Verdict::Red, "x")));
}

/// A small reader of XML: every element is closed, nothing stands raw that must not.
fn assert_well_formed(name: &str, xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    let valid = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(valid), "{name}: a character that XML has not");
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains(['>', '"']), "{name}: raw text {:?}", &rest[..at]);
        let mut quoted = false;
        let end = rest[at..]
            .find(|c| {
                if c == '"' {
                    quoted = !quoted;
                }
                c == '>' && !quoted
            })
            .unwrap();
        let tag = &rest[at + 1..at + end];
        let word = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(word), "{name}");
        } else if !tag.ends_with('/') {
            open.push(word);
        }
        rest = &rest[at + end + 1..];
    }
    assert!(open.is_empty(), "{name}: {open:?}");
    for entity in xml.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#"].iter().any(|e| entity.starts_with(e));
        assert!(known, "{name}: &{}", &entity[..entity.len().min(10)]);
    }
}

#[test]
fn the_files_of_a_cycle_name_each_other() {
    let written = all_files(&stories::auth_broken());
    let paths: Vec<&str> = written.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        ["charts/trend-0007.svg", "cycle-0007.json", "cycle-0007.junit.xml", "cycle-0007.md"]
    );
    let text = String::from_utf8(written[3].bytes.clone()).unwrap();
    assert!(text.contains("(charts/trend-0007.svg)"));
    assert_eq!(all_files(&stories::first_green()).len(), 3, "one cycle is no trend");
    assert_eq!(written, all_files(&stories::auth_broken()));
}

#[test]
fn index_pages_put_the_newest_first() {
    let story = stories::auth_broken_story();
    let (cycles, name) = (&story.findings.chain, &story.state.queued.pipeline);
    compare("pipeline-index.md", &pipeline_index(name, cycles, &[]));
    compare("all-index.md", &all_index(&[PipelineLine { name, cycles }]));
    assert!(pipeline_chart(cycles).starts_with("<svg "));
    assert!(pipeline_index(name, &[], &[]).contains("No cycle yet."));
}

#[test]
fn what_comes_after_the_verdict_changes_no_byte() {
    use andon::domain::event::{Finished, ReportWritten};
    use andon::domain::state::Stamped;
    let before = stories::auth_broken();
    let mut story = Story::new(7);
    story.state = before.clone();
    story.phase(Phase::Report, PhaseOutcome::Passed, 12, None);
    story.phase(Phase::Notify, PhaseOutcome::Passed, 3, None);
    let mut after = story.state;
    after.report = Some(ReportWritten { path: "reports/x.md".into(), digest: "d".into() });
    let at = after.findings.as_ref().unwrap().at;
    after.finished =
        Some(Stamped { at, what: Finished { verdict: Verdict::Red, void_reason: None } });
    assert_eq!(all_files(&before), all_files(&after));
}

/// A third fails in 120 ways, a third passes, a third does not run.
fn huge() -> andon::domain::state::CycleState {
    let mut story = Story::new(7);
    let ids: Vec<String> =
        (0..100_000).map(|n| format!("suite::module_{}::case_{n:06}", n % 700)).collect();
    let areas: Vec<String> = (0..100_000).map(|n| format!("Area {}", n % 700)).collect();
    let cases: Vec<(&str, &str, &str)> = ids
        .iter()
        .zip(&areas)
        .map(|(id, area)| (id.as_str(), area.as_str(), "Somebody cannot do something"))
        .collect();
    story.resolve().deployed().ready().plan(&cases);
    let mut not_run = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        match n % 3 {
            0 => {
                let failure = Some(http_failure("step", 500));
                story.attempt(id, 12, failure, http_evidence("step", 500));
            }
            1 => {
                story.attempt(id, 12, None, http_evidence("step", 200));
            }
            _ => not_run.push((id.as_str(), NotRunReason::Timeout { running_ms: None })),
        }
    }
    story.suite_ends(Some(StoppedBy::Timeout), not_run).stays(HEAD);
    for (n, id) in ids.iter().enumerate() {
        let (outcome, change) = match n % 3 {
            0 => (Outcome::Failed, Change::Regressed),
            1 => (Outcome::Passed, Change::StillPassing),
            _ => (Outcome::NotRun, Change::NotRun),
        };
        story.found(id, outcome, Some(Outcome::Passed), Some(change));
    }
    story.baseline(100_000, 0);
    for number in 0..120 {
        let failing = ids.iter().enumerate().filter(|(n, _)| n % 3 == 0 && (n / 3) % 120 == number);
        let cases: Vec<&str> = failing.map(|(_, id)| id.as_str()).collect();
        let failure = http_failure("step", 500);
        let digest = format!("{number:012x}");
        story.findings.clusters.push(cluster(
            7,
            &digest,
            "Status 500 instead of 200",
            failure,
            &cases,
        ));
    }
    story.decided(Verdict::Red, "33,334 cases that decide are failing")
}

#[test]
fn a_hundred_thousand_cases_stay_readable() {
    let state = huge();
    let text = markdown::render(&state);
    assert!(text.len() < 256 * 1024, "{} bytes", text.len());
    let tally = "Ran 66667 of 100000: 33333 passed, 33334 failing, 33333 not run.";
    assert!(text.contains(tally), "{}", &text[..600]);
    assert!(text.contains("… and 33,294 more, in `cycle-0007.json`"));
    assert_eq!(text.matches("\n### ").count(), 3, "three failures in full; no document was read");
    assert_eq!(told(&state), [""; 0]);
}

#[test]
fn a_comment_fits_every_forge_and_leads_to_no_file() {
    let text = comment(&huge());
    assert!(text.chars().count() <= 60_000, "{} characters", text.chars().count());
    assert!(text.starts_with("### CYCLE 7: chat-staging P1: RED\n"), "{}", &text[..200]);
    assert!(text.contains("Ran 66667 of 100000"), "{}", &text[..600]);
    assert!(text.contains("Status 500 instead of 200") && text.contains("Next actions"));
    for (name, state) in stories::all() {
        let text = comment(&state);
        assert!(!text.contains("]("), "{name} has no files beside it: {text}");
        assert!(!text.contains("\n## ") && text.starts_with("### CYCLE "), "{name}: {text}");
    }
}

/// Every file of a report.
fn all_files(state: &CycleState) -> Vec<ReportFile> {
    drafts(&View::of(state)).map(|draft| draft.finished().unwrap()).collect()
}

#[test]
fn a_report_that_contradicts_itself_is_not_written() {
    let mut state = stories::auth_broken();
    let stamped = state.findings.as_mut().unwrap();
    std::sync::Arc::make_mut(&mut stamped.what).counts.passed += 1;
    let view = View::of(&state);
    let json = drafts(&view).find(|draft| draft.path.ends_with(".json")).unwrap();
    let refused = json.finished().unwrap_err().to_string();
    assert!(refused.starts_with("it contradicts itself (suite: the sum"), "{refused}");
}
