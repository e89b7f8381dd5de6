//! The lists of cycles and pipelines.

use andon::domain::event::{
    Event, Held, PhaseStarted, ReportWritten, ResumeAs, Resumed, SuiteEnded,
};
use andon::domain::history::Counts;
use andon::domain::outcome::{Phase, TriggerKind, Verdict};
use andon::store::{Append, Baseline, CycleKey, TrendRow, Which};

use crate::Backend;
use crate::sample::{
    analysed, append, at, ended_cycle, environment, finished, new_cycle, pipeline, planned, queued,
    resolved, revision,
};

fn phase(phase: Phase) -> Event {
    Event::PhaseStarted(PhaseStarted { phase, deadline_at: None })
}

pub async fn the_row_follows_the_events<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let chat = pipeline("chat");

    let row = store.find_cycle(&chat, Which::Latest).await.unwrap().unwrap();
    assert_eq!((row.phase, row.summary.verdict), (Phase::Queued, None));
    assert_eq!(row.cause.kind, TriggerKind::Manual);
    assert_eq!(row.summary.trigger, "manual: asked for by ada");
    assert_eq!((row.summary.started_at, row.last_seq), (at(0), 1));
    assert_eq!(row.requested.as_deref(), Some("main"));
    assert_eq!(row.key(), cycle);

    let begun = vec![phase(Phase::Checkout), resolved('a'), phase(Phase::Suite), planned("beef")];
    store.append(append(&cycle, 1, begun)).await.unwrap();
    let row = store.find_cycle(&chat, Which::Latest).await.unwrap().unwrap();
    assert_eq!(row.phase, Phase::Suite);
    assert_eq!(row.summary.revision, Some(revision('a')));
    assert_eq!(row.summary.suite_digest.as_deref(), Some("beef"));

    let counts = Counts { planned: 3, passed: 2, failed: 1, ..Counts::default() };
    let suite_ended = Event::SuiteEnded(SuiteEnded {
        stopped_by: None,
        not_run: Vec::new(),
        setup_failures: Vec::new(),
        teardown_failures: Vec::new(),
        retries_withheld: None,
        duration_ms: 1234,
    });
    let decided = vec![suite_ended, phase(Phase::Diff), analysed(Verdict::Red, counts)];
    store.append(Append { at: at(30), ..append(&cycle, 5, decided) }).await.unwrap();
    let report = Event::ReportWritten(ReportWritten {
        path: "reports/chat/cycle-0001.md".to_owned(),
        digest: "00".to_owned(),
    });
    let last = vec![report, finished(Verdict::Red)];
    store.append(Append { at: at(40), ..append(&cycle, 8, last) }).await.unwrap();

    let row = store.find_cycle(&chat, Which::Latest).await.unwrap().unwrap();
    assert_eq!((row.phase, row.summary.verdict), (Phase::Finished, Some(Verdict::Red)));
    assert_eq!((row.summary.decided_at, row.finished_at), (Some(at(30)), Some(at(40))));
    assert_eq!((row.summary.counts, row.summary.suite_ms), (counts, Some(1234)));
    assert_eq!(row.report.as_deref(), Some("reports/chat/cycle-0001.md"));
    assert_eq!(row.last_seq, 10);
}

pub async fn a_held_cycle_is_shown_as_held_until_it_is_resumed<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let held = Event::Held(Held { reason: "nobody saw its end".to_owned() });
    store.append(append(&cycle, 1, vec![held])).await.unwrap();
    let chat = pipeline("chat");
    assert!(store.find_cycle(&chat, Which::Latest).await.unwrap().unwrap().held);
    let resumed = Event::Resumed(Resumed { decision: ResumeAs::Deployed, by: "ada".to_owned() });
    store.append(append(&cycle, 2, vec![resumed])).await.unwrap();
    assert!(!store.find_cycle(&chat, Which::Latest).await.unwrap().unwrap().held);
}

/// What a search asks an older commit is nobody's newest result, no part of a trend and no baseline.
pub async fn what_a_search_asks_says_nothing_of_the_pipeline<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let red = ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    let mut question = queued("chat", "staging");
    question.options.search_of = Some(1);
    question.options.only = Some("test_001".to_owned());
    let (asked, _) = store.create_cycle(question, at(50)).await.unwrap();
    let events = vec![resolved('b'), finished(Verdict::Green)];
    store.append(append(&asked, 1, events)).await.unwrap();

    let chat = pipeline("chat");
    let number = |row: Option<andon::store::CycleRow>| row.map(|row| row.summary.cycle);
    let found = |which| store.find_cycle(&chat, which);
    assert_eq!(number(found(Which::LatestFinished).await.unwrap()), Some(asked.cycle));
    assert_eq!(number(found(Which::LatestAnswer).await.unwrap()), Some(red.cycle));
    let trend = store.trend(&chat, 9, 9).await.unwrap();
    assert_eq!(trend.iter().map(|row| row.summary.cycle).collect::<Vec<_>>(), [red.cycle]);
    let staging = environment("staging");
    let baseline = store.find_baseline(&chat, &staging, 9, Baseline::Valid).await.unwrap();
    assert_eq!(number(baseline), Some(red.cycle));
    let listed = store.list_pipelines().await.unwrap().remove(0);
    assert_eq!((number(listed.latest), listed.cycles), (Some(red.cycle), 2));
    let newest = store.newest_and_green(9).await.unwrap();
    assert_eq!(newest.iter().map(|row| row.summary.cycle).collect::<Vec<_>>(), [red.cycle]);
    let steps = store.cycles_of_search(&chat, 1).await.unwrap();
    assert_eq!(steps.iter().map(|row| row.summary.cycle).collect::<Vec<_>>(), [asked.cycle]);
    assert!(steps[0].is_question());
    let tally = store.tally_cycles().await.unwrap();
    assert_eq!(tally.ended, [(chat, Verdict::Red, 1)], "an older commit's verdict is not counted");
    // Nor do some cases that a person asks for.
    let mut part = queued("other", "staging");
    part.options.only = Some("test_001".to_owned());
    let (part, _) = store.create_cycle(part, at(50)).await.unwrap();
    store.append(append(&part, 1, vec![resolved('b'), finished(Verdict::Green)])).await.unwrap();
    let answer = store.find_cycle(&pipeline("other"), Which::LatestAnswer).await.unwrap();
    assert_eq!(number(answer), None);
    let told = store.recent_cycles(9).await.unwrap();
    let told: Vec<(bool, bool)> = told.iter().map(|row| (row.is_part, row.is_question)).collect();
    assert_eq!(told, [(true, true), (false, false), (true, false)]);
}

pub async fn cycles_are_found_by_number_newest_and_newest_finished<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    assert_eq!(store.find_cycle(&chat, Which::Latest).await.unwrap(), None);
    for _ in 0..2 {
        ended_cycle(&*store, "chat", "staging", Verdict::Green).await;
    }
    new_cycle(&*store, "chat", "staging").await;
    ended_cycle(&*store, "other", "staging", Verdict::Green).await;
    for (which, number) in [
        (Which::Number(1), Some(1)),
        (Which::Number(3), Some(3)),
        (Which::Number(4), None),
        (Which::Latest, Some(3)),
        (Which::LatestFinished, Some(2)),
    ] {
        let found = store.find_cycle(&chat, which).await.unwrap();
        assert_eq!(found.map(|row| row.summary.cycle), number, "{which:?}");
    }
}

pub async fn lists_are_cut_and_ordered<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    for _ in 0..5 {
        ended_cycle(&*store, "chat", "staging", Verdict::Green).await;
    }
    let numbers = |rows: Vec<andon::store::CycleRow>| -> Vec<u32> {
        rows.iter().map(|row| row.summary.cycle).collect()
    };
    assert_eq!(numbers(store.list_cycles(&chat, 3).await.unwrap()), [5, 4, 3]);
    assert_eq!(numbers(store.list_cycles(&chat, 99).await.unwrap()), [5, 4, 3, 2, 1]);
    assert_eq!(numbers(store.trend(&chat, 5, 3).await.unwrap()), [2, 3, 4]);
    assert!(store.trend(&chat, 1, 3).await.unwrap().is_empty());
}

pub async fn open_cycles_are_those_without_an_end<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    ended_cycle(&*store, "chat", "staging", Verdict::Green).await;
    let open = new_cycle(&*store, "chat", "staging").await;
    let elsewhere = new_cycle(&*store, "web", "preview").await;
    let all = store.open_cycles(None).await.unwrap();
    assert_eq!(all.iter().map(|row| row.key()).collect::<Vec<_>>(), [open.clone(), elsewhere]);
    let staging = store.open_cycles(Some(&environment("staging"))).await.unwrap();
    assert_eq!(staging.iter().map(|row| row.key()).collect::<Vec<_>>(), [open]);
}

pub async fn a_baseline_is_valid_of_the_environment_and_earlier<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    for verdict in [Verdict::Green, Verdict::Red, Verdict::Void, Verdict::DeployFailed] {
        ended_cycle(&*store, "chat", "staging", verdict).await;
    }
    ended_cycle(&*store, "chat", "preview", Verdict::Incomplete).await;
    // Its verdict is decided, but it is not over: no baseline yet.
    let undecided = new_cycle(&*store, "chat", "staging").await;
    let decided = vec![analysed(Verdict::Green, Counts::default())];
    store.append(append(&undecided, 1, decided)).await.unwrap();

    for (environment_name, before, baseline, number) in [
        ("staging", 7, Baseline::Valid, Some(2)),
        ("staging", 7, Baseline::Green, Some(1)),
        ("staging", 2, Baseline::Valid, Some(1)),
        ("staging", 1, Baseline::Valid, None),
        ("preview", 7, Baseline::Valid, Some(5)),
        ("staging", 7, Baseline::Whole, Some(2)),
        ("preview", 7, Baseline::Green, None),
        ("nowhere", 7, Baseline::Valid, None),
    ] {
        let place = environment(environment_name);
        let found = store.find_baseline(&chat, &place, before, baseline).await.unwrap();
        let found = found.map(|row| row.summary.cycle);
        assert_eq!(found, number, "{environment_name} before {before}, {baseline:?}");
    }
}

pub async fn a_cycle_of_some_cases_is_valid_but_not_whole<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    ended_cycle(&*store, "chat", "staging", Verdict::Green).await;
    let mut queued = queued("chat", "staging");
    queued.options.only = Some("test_00*".to_owned());
    let (part, _) = store.create_cycle(queued, at(0)).await.unwrap();
    let events = vec![analysed(Verdict::Red, Counts::default()), finished(Verdict::Red)];
    store.append(append(&part, 1, events)).await.unwrap();
    let (chat, place) = (pipeline("chat"), environment("staging"));
    for (baseline, number) in [(Baseline::Valid, 2), (Baseline::Whole, 1)] {
        let found = store.find_baseline(&chat, &place, 9, baseline).await.unwrap();
        assert_eq!(found.map(|row| row.summary.cycle), Some(number), "{baseline:?}");
    }
}

pub async fn pipelines_are_listed_with_their_newest_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    assert!(store.list_pipelines().await.unwrap().is_empty());
    ended_cycle(&*store, "web", "staging", Verdict::Green).await;
    ended_cycle(&*store, "chat", "staging", Verdict::Green).await;
    ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    let rows = store.list_pipelines().await.unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| {
            let verdict = row.latest.as_ref().and_then(|latest| latest.summary.verdict);
            (row.pipeline.as_str(), row.cycles, verdict)
        })
        .collect();
    assert_eq!(seen, [("chat", 2, Some(Verdict::Red)), ("web", 1, Some(Verdict::Green))]);
}

pub async fn at_a_glance_a_pipeline_is_its_newest_and_its_last_green_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    assert!(store.newest_and_green(50).await.unwrap().is_empty());
    ended_cycle(&*store, "web", "staging", Verdict::Green).await;
    for verdict in [Verdict::Green, Verdict::Green, Verdict::Red] {
        ended_cycle(&*store, "chat", "staging", verdict).await;
    }
    // Green, but not the whole suite.
    let mut queued = queued("chat", "staging");
    queued.options.only = Some("test_00*".to_owned());
    let (part, _) = store.create_cycle(queued, at(0)).await.unwrap();
    let events = vec![analysed(Verdict::Green, Counts::default()), finished(Verdict::Green)];
    store.append(append(&part, 1, events)).await.unwrap();
    new_cycle(&*store, "shop", "staging").await;
    for (among, expected) in [
        (50, [("chat", 4), ("chat", 2), ("shop", 1), ("web", 1)].as_slice()),
        (3, &[("chat", 4), ("chat", 2), ("shop", 1), ("web", 1)]),
        (2, &[("chat", 4), ("shop", 1), ("web", 1)]),
    ] {
        let rows = store.newest_and_green(among).await.unwrap();
        let seen: Vec<_> =
            rows.iter().map(|row| (row.pipeline.as_str(), row.summary.cycle)).collect();
        assert_eq!(seen, expected, "among {among}");
    }
}

/// What a page of all pipelines is made of: many cycles in short, and a few as a whole.
pub async fn in_short_a_cycle_says_how_it_ended<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    assert!(store.recent_cycles(2).await.unwrap().is_empty());
    for verdict in [Verdict::Green, Verdict::Red] {
        ended_cycle(&*store, "chat", "staging", verdict).await;
    }
    let mut question = queued("chat", "staging");
    question.options.search_of = Some(2);
    question.options.only = Some("test_001".to_owned());
    let (asked, _) = store.create_cycle(question, at(50)).await.unwrap();
    let counts = Counts { planned: 9, passed: 5, flaky: 2, failed: 2, ..Counts::default() };
    store.append(append(&asked, 1, vec![analysed(Verdict::Red, counts)])).await.unwrap();
    let web = new_cycle(&*store, "web", "staging").await;

    let rows = store.recent_cycles(2).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.pipeline.as_str(), row.cycle)).collect();
    assert_eq!(seen, [("chat", 3), ("chat", 2), ("web", 1)], "of each the newest two");
    assert_eq!((rows[0].verdict, rows[0].planned, rows[0].good), (Some(Verdict::Red), 9, 7));
    assert_eq!((rows[2].verdict, rows[2].planned, rows[2].good), (None, 0, 0));
    let questions: Vec<bool> = rows.iter().map(|row| row.is_question).collect();
    assert_eq!(questions, [true, false, false]);

    let there_is_none = CycleKey::new(pipeline("chat"), 4);
    let whole = [web, there_is_none, rows[1].key(), asked];
    let whole = store.find_cycles(&whole).await.unwrap();
    let in_short: Vec<TrendRow> = whole.iter().map(TrendRow::from).collect();
    assert_eq!(in_short, [rows[1].clone(), rows[0].clone(), rows[2].clone()]);
    assert!(store.find_cycles(&[]).await.unwrap().is_empty());
}
