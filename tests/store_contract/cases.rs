//! What is known about cases and failures.

use andon::domain::event::{CasesPlanned, Event, PlannedCase};
use andon::domain::findings::InvestigationState;
use andon::domain::history::Heads;
use andon::domain::names::CaseId;
use andon::domain::outcome::{Change, Outcome, Verdict};
use andon::store::{
    Append, CaseGrid, CaseRow, CycleKey, InvestigationSeen, Projection, StoreError,
};

use crate::Backend;
use crate::outbox::message;
use crate::sample::{
    append, attempt, case, case_row, environment, fingerprint, finished, head, new_cycle, pipeline,
    planned, planned_case, resolved, wanted,
};

pub async fn heads_are_kept_by_environment_and_replaced<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let (chat, staging) = (pipeline("chat"), environment("staging"));
    assert!(store.case_heads(&chat, &staging).await.unwrap().is_empty());
    for (place, heads) in [
        ("staging", vec![head("login", 1), head("chat", 1)]),
        ("preview", vec![head("login", 2)]),
        ("staging", vec![head("login", 3)]),
    ] {
        let cycle = new_cycle(&*store, "chat", place).await;
        let projection = Projection { heads, ..Projection::default() };
        let events = vec![finished(Verdict::Green)];
        store.append(Append { projection, ..append(&cycle, 1, events) }).await.unwrap();
    }
    store.close().await;
    let store = backend.open().await;
    let found = store.case_heads(&chat, &staging).await.unwrap();
    let found = Heads::from(found);
    assert_eq!(found.list().len(), 2);
    assert_eq!(found.get(&case("login")), Some(&head("login", 3)));
    assert_eq!(found.get(&case("chat")), Some(&head("chat", 1)));
    let found = store.case_heads(&chat, &environment("preview")).await.unwrap();
    assert_eq!(found, [head("login", 2)]);
    assert!(store.case_heads(&pipeline("web"), &staging).await.unwrap().is_empty());
}

pub async fn results_and_history_of_a_case<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let failing = CaseRow {
        change: Some(Change::Regressed),
        fingerprint: Some(fingerprint("aa")),
        attempts: 2,
        ..case_row("login", Outcome::Failed)
    };
    let removed = CaseRow {
        outcome: None,
        change: Some(Change::Removed),
        ..case_row("old", Outcome::NotRun)
    };
    let first = new_cycle(&*store, "chat", "staging").await;
    let rows = vec![case_row("login", Outcome::Passed), case_row("old", Outcome::Skipped)];
    let projection = Projection { cases: rows.clone(), ..Projection::default() };
    let events = vec![resolved('a'), finished(Verdict::Green)];
    store.append(Append { projection, ..append(&first, 1, events) }).await.unwrap();
    assert_eq!(store.case_results(&first).await.unwrap(), rows);

    let second = new_cycle(&*store, "chat", "staging").await;
    let rows = vec![failing.clone(), removed];
    let projection = Projection { cases: rows.clone(), ..Projection::default() };
    let events = vec![resolved('b'), finished(Verdict::Red)];
    store.append(Append { projection, ..append(&second, 1, events) }).await.unwrap();
    assert_eq!(store.case_results(&second).await.unwrap(), rows);

    let history = store.case_history(&pipeline("chat"), &case("login"), 10).await.unwrap();
    let seen: Vec<_> = history
        .iter()
        .map(|row| (row.cycle, row.verdict, row.revision.as_ref().unwrap().subject.as_str()))
        .collect();
    assert_eq!(seen, [(2, Some(Verdict::Red), "commit b"), (1, Some(Verdict::Green), "commit a")]);
    assert_eq!(history[0].result, failing);
    let cut = store.case_history(&pipeline("chat"), &case("login"), 1).await.unwrap();
    assert_eq!(cut, history[..1]);
    assert!(store.case_history(&pipeline("web"), &case("login"), 9).await.unwrap().is_empty());
}

/// Columns are the newest valid cycles of the environment, rows every case that has a result in one.
pub async fn a_grid_is_cases_by_valid_cycles<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let (chat, staging) = (pipeline("chat"), environment("staging"));
    assert_eq!(store.case_grid(&chat, &staging, 9).await.unwrap(), CaseGrid::default());
    let removed = CaseRow { outcome: None, ..case_row("old", Outcome::NotRun) };
    let removed = CaseRow { change: Some(Change::Removed), ..removed };
    let broke = CaseRow { change: Some(Change::Regressed), ..case_row("login", Outcome::Failed) };
    let skipped = case_row("beta", Outcome::Skipped);
    let passed = |name| case_row(name, Outcome::Passed);
    for (place, verdict, cases) in [
        ("staging", Verdict::Green, vec![passed("login"), passed("old")]),
        ("staging", Verdict::Void, vec![passed("login"), passed("never")]),
        ("preview", Verdict::Green, vec![passed("elsewhere")]),
        ("staging", Verdict::Incomplete, vec![passed("login"), passed("old")]),
        ("staging", Verdict::Red, vec![skipped, broke, removed]),
    ] {
        let cycle = new_cycle(&*store, "chat", place).await;
        let projection = Projection { cases, ..Projection::default() };
        let events = vec![resolved('a'), finished(verdict)];
        store.append(Append { projection, ..append(&cycle, 1, events) }).await.unwrap();
    }
    let grid = store.case_grid(&chat, &staging, 9).await.unwrap();
    let cycles: Vec<u32> = grid.cycles.iter().map(|row| row.summary.cycle).collect();
    assert_eq!(cycles, [1, 4, 5]);
    assert_eq!(store.valid_cycles(&chat, &staging, 9).await.unwrap(), grid.cycles);
    assert_eq!(store.valid_cycles(&chat, &staging, 2).await.unwrap(), grid.cycles[1..]);
    let runs: Vec<_> = grid
        .cases
        .iter()
        .map(|runs| (runs.case.as_str(), runs.outcomes.as_slice(), runs.change))
        .collect();
    let (pass, fail, skip) = (Some(Outcome::Passed), Some(Outcome::Failed), Some(Outcome::Skipped));
    assert_eq!(
        runs,
        [
            ("beta", &[None, None, skip][..], None),
            ("login", &[pass, pass, fail], Some(Change::Regressed)),
            ("old", &[pass, pass, None], Some(Change::Removed)),
        ]
    );
    let newest = store.case_grid(&chat, &staging, 1).await.unwrap();
    assert_eq!((newest.cycles.len(), newest.cases.len()), (1, 3));
    assert_eq!(newest.cases[1].outcomes, [fail]);
}

/// What is planned later joins what was planned first; a cycle that nobody knows planned nothing.
pub async fn a_plan_is_read_alone<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let named = |name: &str| PlannedCase {
        area: Some("Login".to_owned()),
        command: None,
        ..planned_case(name, "d1", None)
    };
    let Event::SuitePlanned(mut plan) = planned("0123456789ab") else { unreachable!() };
    plan.cases = vec![named("login")];
    let joins = CasesPlanned { command: "unit".into(), cases: vec![named("a::adds")] };
    let events = vec![Event::SuitePlanned(plan), attempt("login", 1), Event::CasesPlanned(joins)];
    store.append(append(&cycle, 1, events)).await.unwrap();
    assert_eq!(store.planned_cases(&cycle).await.unwrap(), [named("login"), named("a::adds")]);
    let other = CycleKey::new(pipeline("web"), 1);
    assert_eq!(store.planned_cases(&other).await.unwrap(), []);
}

pub async fn a_refused_append_writes_no_projection<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let projection = Projection {
        cases: vec![case_row("login", Outcome::Passed)],
        heads: vec![head("login", 1)],
        fingerprints: vec![fingerprint("aa")],
        culprits: Vec::new(),
        investigations: Vec::new(),
        messages: vec![message("news", "mail", None)],
    };
    let refused =
        store.append(Append { projection, ..append(&cycle, 7, vec![resolved('a')]) }).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let chat = pipeline("chat");
    assert!(store.case_results(&cycle).await.unwrap().is_empty());
    assert!(store.case_heads(&chat, &environment("staging")).await.unwrap().is_empty());
    assert!(store.fingerprints(&chat, &[fingerprint("aa")]).await.unwrap().is_empty());
    assert!(!store.knows_message("news").await.unwrap());
}

pub async fn a_fingerprint_counts_once_a_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    for seen in [["aa", "bb"], ["aa", "aa"], ["aa", "cc"]] {
        let cycle = new_cycle(&*store, "chat", "staging").await;
        for expected_seq in [1, 2] {
            let fingerprints = seen.map(fingerprint).to_vec();
            let projection = Projection { fingerprints, ..Projection::default() };
            let events = vec![resolved('a')];
            let append = Append { projection, ..append(&cycle, expected_seq, events) };
            store.append(append).await.unwrap();
        }
    }
    let wanted = ["aa", "bb", "dd"].map(fingerprint);
    let mut found = store.fingerprints(&chat, &wanted).await.unwrap();
    found.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    let figures: Vec<_> = found
        .iter()
        .map(|seen| (seen.fingerprint.as_str(), seen.first_cycle, seen.last_cycle, seen.times))
        .collect();
    assert_eq!(figures, [("v1-aa", 1, 3, 3), ("v1-bb", 1, 1, 1)]);
}

/// More than one statement's worth of everything, and names that SQL must not read.
pub async fn many_cases_survive<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let names: Vec<String> = (0..733).map(|n| format!("it's [{n}] \"ä\" -- ?1 %s")).collect();
    let allocated =
        store.allocate_investigation(wanted(&pipeline("chat"), "f0", "slug", 1)).await.unwrap();
    let projection = Projection {
        cases: names.iter().map(|name| case_row(name, Outcome::Passed)).collect(),
        heads: names.iter().map(|name| head(name, 1)).collect(),
        fingerprints: (0..733).map(|n| fingerprint(&format!("f{n}"))).collect(),
        investigations: vec![InvestigationSeen {
            id: allocated.id,
            state: InvestigationState::Analysed,
            cases: Vec::new(),
            claims: Vec::new(),
        }],
        ..Projection::default()
    };
    let events = vec![finished(Verdict::Green)];
    let expected = projection.clone();
    store.append(Append { projection, ..append(&cycle, 1, events) }).await.unwrap();
    assert_eq!(store.case_results(&cycle).await.unwrap(), expected.cases);
    // A later cycle that plans a single case leaves the heads of all others alone.
    let later = new_cycle(&*store, "chat", "staging").await;
    let projection = Projection { heads: vec![head(&names[0], 1)], ..Projection::default() };
    let events = vec![finished(Verdict::Green)];
    store.append(Append { projection, ..append(&later, 1, events) }).await.unwrap();
    let heads = store.case_heads(&pipeline("chat"), &environment("staging")).await.unwrap();
    let heads = Heads::from(heads);
    assert_eq!(heads.list().len(), names.len());
    for name in &names {
        let id: CaseId = case(name);
        assert_eq!(heads.get(&id), Some(&head(name, 1)));
    }
    let seen = store.fingerprints(&pipeline("chat"), &expected.fingerprints).await.unwrap();
    assert_eq!(seen.len(), 733);
}
