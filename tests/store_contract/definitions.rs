//! What a case was by the plan of a cycle, and where that changed.

use andon::domain::event::{CasesPlanned, Event, PlannedCase, RunOptions};
use andon::domain::outcome::{Change, Outcome, Verdict};
use andon::store::{Append, CaseRow, CycleKey, Projection, Store, definitions_of};

use crate::Backend;
use crate::sample::{
    append, at, case, case_row, finished, pipeline, planned, planned_case, queued, resolved,
};

/// A cycle that planned these cases and came to these results.
async fn cycle_of(
    store: &dyn Store,
    environment: &str,
    suite: &str,
    cases: Vec<PlannedCase>,
    results: Vec<CaseRow>,
) -> CycleKey {
    with_options(store, environment, suite, cases, results, None).await
}

async fn with_options(
    store: &dyn Store,
    environment: &str,
    suite: &str,
    cases: Vec<PlannedCase>,
    results: Vec<CaseRow>,
    search_of: Option<u32>,
) -> CycleKey {
    let mut asked = queued("chat", environment);
    let only = search_of.map(|_| "login".to_owned());
    asked.options = RunOptions { deploy: true, only, search_of };
    let (key, _) = store.create_cycle(asked, at(0)).await.unwrap();
    let mut plan = planned(suite);
    let (of_command, native) = cases.into_iter().partition(|case| case.command.is_some());
    if let Event::SuitePlanned(plan) = &mut plan {
        plan.cases = native;
    }
    let joined = CasesPlanned { command: "pytest".into(), cases: of_command };
    let events = vec![resolved('a'), plan, Event::CasesPlanned(joined), finished(Verdict::Green)];
    let projection = Projection { cases: results, ..Projection::default() };
    store.append(Append { projection, ..append(&key, 1, events) }).await.unwrap();
    key
}

pub async fn one_case_of_a_plan_is_read_alone<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let odd = "it's [1] \"ä\" %s";
    let cases = vec![
        planned_case("login", "d1", None),
        planned_case(odd, "d2", None),
        planned_case("chat", "d3", Some("pytest")),
    ];
    let key = cycle_of(&*store, "staging", "s1", cases.clone(), vec![]).await;
    let store = backend.open().await;
    for planned in cases {
        let found = store.planned_case(&key, &planned.id).await.unwrap();
        assert_eq!(found, Some(planned));
    }
    for other in ["log", "of-earlier", "logi_", "%"] {
        assert_eq!(store.planned_case(&key, &case(other)).await.unwrap(), None, "{other}");
    }
    let nowhere = CycleKey::new(pipeline("web"), 1);
    assert_eq!(store.planned_case(&nowhere, &case("login")).await.unwrap(), None);
    store.expire_cycles(std::slice::from_ref(&key), at(100)).await.unwrap();
    assert_eq!(store.planned_case(&key, &case("login")).await.unwrap(), None);
}

/// Its changes, as cycle and the one before; and what is known of its cycles, newest first.
async fn told(store: &dyn Store, name: &str) -> (Vec<(u32, u32)>, Vec<Option<bool>>) {
    let rows = store.case_history(&pipeline("chat"), &case(name), 99).await.unwrap();
    let found = definitions_of(store, &pipeline("chat"), &case(name), &rows).await.unwrap();
    assert_eq!(found.looked_back_to, None);
    let known = rows.iter().map(|row| found.changed_in(row.cycle)).collect();
    (found.changes().into_iter().collect(), known)
}

pub async fn a_history_tells_where_the_definition_changed<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let store = &*store;
    let ran = || vec![case_row("login", Outcome::Passed), case_row("page", Outcome::Passed)];
    let plan = |login, page| {
        vec![planned_case("login", login, None), planned_case("page", page, Some("pytest"))]
    };
    cycle_of(store, "staging", "s1", plan("d1", "p1"), ran()).await; // 1
    cycle_of(store, "preview", "s0", plan("d0", "p1"), ran()).await; // 2
    cycle_of(store, "staging", "s1", plan("d1", "p2"), ran()).await; // 3
    // Another suite, the same case.
    cycle_of(store, "staging", "s2", plan("d1", "p2"), ran()).await; // 4
    // What did not run, and what was removed, expected nothing.
    let idle = |outcome, change| CaseRow { outcome, change, attempts: 0, ..ran()[0].clone() };
    let not_run = vec![idle(Some(Outcome::NotRun), Some(Change::NotRun))];
    cycle_of(store, "staging", "s3", plan("d2", "p2"), not_run).await; // 5
    let removed = vec![idle(None, Some(Change::Removed))];
    cycle_of(store, "staging", "s3", vec![], removed).await; // 6
    // A search asks an older commit, whose tests are older, too.
    with_options(store, "staging", "s2", plan("d1", "p0"), ran(), Some(4)).await; // 7
    cycle_of(store, "staging", "s3", plan("d2", "p2"), ran()).await; // 8
    cycle_of(store, "preview", "s3", plan("d2", "p1"), ran()).await; // 9

    let (changes, known) = told(store, "login").await;
    assert_eq!(changes, [(8, 4), (9, 2)]);
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(known, [yes, yes, None, None, None, no, no, None, None]);
    let (changes, known) = told(store, "page").await;
    assert_eq!(changes, [(3, 1)], "a command's tests change without the suite");
    assert_eq!(known, [no, no, None, no, yes, None, None]);
}

pub async fn only_so_many_plans_are_read_for_a_history<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    for number in 1..=45 {
        let page = if number < 3 { "p1" } else { "p2" };
        let cases =
            vec![planned_case("login", "d1", None), planned_case("page", page, Some("pytest"))];
        let ran = vec![case_row("login", Outcome::Passed), case_row("page", Outcome::Passed)];
        cycle_of(&*store, "staging", "s1", cases, ran).await;
    }
    let chat = pipeline("chat");
    let rows = store.case_history(&chat, &case("page"), 99).await.unwrap();
    let page = definitions_of(&*store, &chat, &case("page"), &rows).await.unwrap();
    assert_eq!(page.looked_back_to, Some(6));
    assert_eq!(
        (page.changed_in(7), page.changed_in(6), page.changed_in(3)),
        (Some(false), None, None)
    );
    let rows = store.case_history(&chat, &case("login"), 99).await.unwrap();
    let login = definitions_of(&*store, &chat, &case("login"), &rows).await.unwrap();
    assert_eq!(login.looked_back_to, None, "of one suite one plan is read");
    assert_eq!((login.changed_in(2), login.changed_in(1)), (Some(false), None));
}
