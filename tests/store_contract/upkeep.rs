//! Cycles that expire, what is forgotten with time, copies.

use andon::domain::commit::Echo;
use andon::domain::findings::InvestigationState;
use andon::domain::history::{CaseHead, CycleRef};
use andon::domain::outcome::{Outcome, Trigger, TriggerKind, Verdict};
use andon::domain::retention::Reference;
use andon::store::sqlite::{Mode, SqliteStore};
use andon::store::{
    Append, Baseline, CommitFate, Delivery, Movement, NewMessage, NewTrigger, Projection,
    SeenCommit, Store, StoreError, Which,
};

use crate::Backend;
use crate::sample::{
    append, at, attempt, case, case_row, ended_cycle, environment, finished, head, new_cycle,
    pipeline, queued, resolved, sha, wanted,
};

pub async fn an_expired_cycle_keeps_its_row_and_nothing_else<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let first = ended_cycle(&*store, "chat", "staging", Verdict::Green).await;
    let second = ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    assert_eq!(store.expire_cycles(std::slice::from_ref(&first), at(100)).await.unwrap(), 1);
    assert_eq!(
        store.expire_cycles(std::slice::from_ref(&first), at(200)).await.unwrap(),
        0,
        "once only"
    );

    // Another process sees the same.
    let store = backend.open().await;
    let row = store.find_cycle(&pipeline("chat"), Which::Number(1)).await.unwrap().unwrap();
    assert_eq!((row.summary.verdict, row.expired_at), (Some(Verdict::Green), Some(at(100))));
    for after in [0, 1, 9] {
        let fault = store.load_page(&first, after, 5).await.unwrap_err();
        assert!(matches!(fault, StoreError::Expired { .. }), "{fault}");
    }
    assert_eq!(store.load_events(&second, 0).await.unwrap().len(), 3);
    // Nothing is compared with it, and nobody writes to it any more.
    let (chat, staging) = (pipeline("chat"), environment("staging"));
    let baseline = store.find_baseline(&chat, &staging, 9, Baseline::Green).await.unwrap();
    assert_eq!(baseline, None);
    let fault = store.append(append(&first, 3, vec![attempt("a", 1)])).await.unwrap_err();
    assert!(matches!(fault, StoreError::UnknownCycle { .. }), "{fault}");
    let (third, _) = store.create_cycle(queued("chat", "staging"), at(300)).await.unwrap();
    assert_eq!(third.cycle, 3);
    assert_eq!(store.list_cycles(&chat, 9).await.unwrap().len(), 3);
}

pub async fn what_is_open_does_not_expire<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let open = new_cycle(&*store, "chat", "staging").await;
    assert_eq!(store.expire_cycles(std::slice::from_ref(&open), at(100)).await.unwrap(), 0);
    assert_eq!(store.load_events(&open, 0).await.unwrap().len(), 1);
    assert_eq!(store.expiring_cycles(9).await.unwrap(), []);
    let fault = store.delete_expired(&open, 100).await.unwrap_err();
    assert!(matches!(fault, StoreError::UnknownCycle { .. }), "{fault}");
    assert_eq!(store.load_events(&open, 0).await.unwrap().len(), 1);
}

pub async fn an_expired_cycle_is_emptied_bit_by_bit<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let mut events: Vec<_> = (1..=20).map(|number| attempt("a", number)).collect();
    events.push(finished(Verdict::Red));
    let cases = vec![case_row("a", Outcome::Failed), case_row("b", Outcome::Passed)];
    let projection = Projection { cases, ..Projection::default() };
    store.append(Append { projection, ..append(&cycle, 1, events) }).await.unwrap();
    let other = ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    store.expire_cycles(std::slice::from_ref(&cycle), at(100)).await.unwrap();

    let mut rounds = 0;
    loop {
        rounds += 1;
        // As after a crash between any two.
        let store = backend.open().await;
        assert_eq!(store.expiring_cycles(9).await.unwrap(), std::slice::from_ref(&cycle));
        assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
        if store.delete_expired(&cycle, 10).await.unwrap() {
            store.finish_expiry(&cycle).await.unwrap();
            break;
        }
    }
    assert_eq!(rounds, 3, "22 events and 2 pages, 10 at a time");
    assert_eq!(store.expiring_cycles(9).await.unwrap(), []);
    assert_eq!(store.case_results(&cycle).await.unwrap(), []);
    assert_eq!(store.case_history(&pipeline("chat"), &case("a"), 9).await.unwrap(), []);
    assert_eq!(store.load_events(&other, 0).await.unwrap().len(), 3);
}

pub async fn histories_tell_what_is_referred_to<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    for _ in 1..=4 {
        ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    }
    let open = new_cycle(&*store, "chat", "preview").await;
    let failing = CaseHead {
        last_good: Some(CycleRef { cycle: 2, revision: sha('a') }),
        first_failing: Some(CycleRef { cycle: 3, revision: sha('b') }),
        ..head("a", 5)
    };
    let projection = Projection { heads: vec![failing], ..Projection::default() };
    store.append(Append { projection, ..append(&open, 1, vec![resolved('c')]) }).await.unwrap();
    for (name, state) in
        [("kept", InvestigationState::Reopened), ("done", InvestigationState::Closed)]
    {
        let opened_in = if name == "kept" { 1 } else { 4 };
        let made =
            store.allocate_investigation(wanted(&chat, name, "slug", opened_in)).await.unwrap();
        store.set_investigation_state(&chat, &made.id, state, opened_in + 1).await.unwrap();
    }
    store.expire_cycles(&[andon::store::CycleKey::new(chat.clone(), 3)], at(100)).await.unwrap();

    let histories = store.retention_histories(at(99)).await.unwrap();
    let [history] = &histories[..] else { panic!("{histories:?}") };
    assert_eq!((&history.pipeline, history.expired_since_yesterday), (&chat, 1));
    let kept: Vec<_> = history.kept.iter().map(|c| (c.cycle, c.finished_at.is_some())).collect();
    assert_eq!(kept, [(1, true), (2, true), (4, true), (5, false)]);
    assert!(history.kept[0].is_whole);
    let to: Vec<_> = history.references.iter().map(|r| (r.planned_in, r.to)).collect();
    assert_eq!(to, [(5, 2), (5, 3), (5, 5)]);
    assert!(history.references.contains(&Reference { planned_in: 5, to: 2 }));
    assert_eq!(history.investigated.iter().copied().collect::<Vec<_>>(), [1, 2]);
    let later = store.retention_histories(at(100)).await.unwrap();
    assert_eq!(later[0].expired_since_yesterday, 0);
}

pub async fn a_cycle_is_measured_once<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    let open = new_cycle(&*store, "chat", "preview").await;
    assert_eq!(store.unmeasured_cycles(9).await.unwrap(), std::slice::from_ref(&cycle));
    store.measure_cycle(&cycle, 1_000_000).await.unwrap();
    store.measure_cycle(&open, 1_000_000).await.unwrap();
    assert_eq!(store.unmeasured_cycles(9).await.unwrap(), []);
    let history = store.retention_histories(at(0)).await.unwrap().remove(0);
    assert!(history.kept[0].bytes.unwrap() > 1_000_200, "{:?}", history.kept);
    assert_eq!(history.kept[1].bytes, None);
}

pub async fn the_fate_of_a_commit_outlives_its_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let (chat, main) = (pipeline("chat"), "main".to_owned());
    let movement = |from, to, commits, run| Movement {
        pipeline: chat.clone(),
        environment: environment("staging"),
        branch: main.clone(),
        from,
        to: Some(to),
        commits,
        run,
        not_before: at(1),
        at: at(1),
    };
    store.put_movement(movement(None, sha('a'), Vec::new(), None)).await.unwrap();
    let commit = SeenCommit {
        sha: sha('b'),
        subject: "b".into(),
        author: "Ada".into(),
        skipped_by: None,
        echo: Echo::No,
    };
    let cause = Trigger { kind: TriggerKind::Commit, detail: "main moved".to_owned() };
    let run = Some((sha('b'), cause));
    store.put_movement(movement(Some(sha('a')), sha('b'), vec![commit], run)).await.unwrap();
    let waiting = store.waiting_triggers().await.unwrap();
    let (cycle, _) = store
        .start_cycle(waiting[0].id, &[], queued("chat", "staging"), at(2))
        .await
        .unwrap()
        .unwrap();
    store.append(append(&cycle, 1, vec![finished(Verdict::Green)])).await.unwrap();
    store.expire_cycles(std::slice::from_ref(&cycle), at(3)).await.unwrap();
    while !store.delete_expired(&cycle, 1).await.unwrap() {}
    store.forget_ended(at(1_000), 100).await.unwrap();

    let fate = store.list_commits(&chat, 9).await.unwrap().remove(0).fate;
    assert_eq!(fate, CommitFate::Tested { cycle: 1, verdict: Some(Verdict::Green), held: false });
}

pub async fn what_was_dealt_with_is_forgotten_and_what_waits_is_not<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    let message = |key: &str| NewMessage {
        key: key.to_owned(),
        pipeline: chat.clone(),
        target: key.to_owned(),
        body: "{}".to_owned(),
        topic: None,
    };
    let messages = vec![message("told"), message("waits"), message("told later")];
    store.put_messages(messages, at(0)).await.unwrap();
    for told in store.next_messages().await.unwrap() {
        let when = if told.key == "told" { 10 } else { 20 };
        if told.key != "waits" {
            store.finish_delivery(told.id, Delivery::Accepted, at(when)).await.unwrap();
        }
    }
    let trigger = |key: Option<&str>| NewTrigger {
        pipeline: chat.clone(),
        environment: environment("staging"),
        cause: Trigger { kind: TriggerKind::Manual, detail: "by hand".to_owned() },
        requested: None,
        options: queued("chat", "staging").options,
        key: key.map(str::to_owned),
        not_before: at(0),
    };
    for key in [None, Some("dropped"), Some("waits")] {
        store.put_trigger(trigger(key), at(0)).await.unwrap();
    }
    let waiting = store.waiting_triggers().await.unwrap();
    for dropped in &waiting[..2] {
        store.drop_trigger(dropped.id, "by a test", at(10)).await.unwrap();
    }

    assert_eq!(store.forget_ended(at(15), 1).await.unwrap(), 1, "no more than asked for");
    assert_eq!(store.forget_ended(at(15), 100).await.unwrap(), 1);
    assert_eq!(store.forget_ended(at(15), 100).await.unwrap(), 0);
    let knows = async |key| store.knows_message(key).await.unwrap();
    assert!(!knows("told").await && knows("waits").await && knows("told later").await);
    assert_eq!(store.waiting_triggers().await.unwrap().len(), 1);
    // The key of one that was dropped stays taken.
    let again = store.put_trigger(trigger(Some("dropped")), at(30)).await.unwrap();
    assert!(matches!(again, andon::store::PutTrigger::Known { .. }), "{again:?}");
}

pub async fn a_copy_holds_what_was_acknowledged<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = ended_cycle(&*store, "chat", "staging", Verdict::Green).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    store.back_up(&file).await.unwrap();
    store.back_up(&file).await.unwrap_err();
    let later = ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    let copy = SqliteStore::open(&file, Mode::ReadOnly).await.unwrap();
    assert_eq!(copy.integrity_check().await.unwrap(), Vec::<String>::new());
    assert_eq!(copy.load_events(&cycle, 0).await.unwrap().len(), 3);
    assert_eq!(copy.load_events(&later, 0).await.unwrap().len(), 0);
}
