//! Why cycles should start: stored once, started or dropped once, never forgotten.

use andon::domain::event::{Event, RunOptions};
use andon::domain::outcome::{Trigger, TriggerKind};
use andon::store::{CycleKey, NewTrigger, PutTrigger, Store, StoreError, TriggerId};

use crate::Backend;
use crate::sample::{at, environment, pipeline, queued};

pub fn trigger(name: &str, key: Option<&str>) -> NewTrigger {
    NewTrigger {
        pipeline: pipeline(name),
        environment: environment("staging"),
        cause: Trigger { kind: TriggerKind::Retry, detail: "after cycle 7".to_owned() },
        requested: Some("v1.2".to_owned()),
        options: RunOptions { deploy: false, only: Some("test_0*".to_owned()), search_of: Some(3) },
        key: key.map(str::to_owned),
        not_before: at(30),
    }
}

async fn put(store: &dyn Store, trigger: NewTrigger) -> TriggerId {
    match store.put_trigger(trigger, at(1)).await.unwrap() {
        PutTrigger::New(id) => id,
        known @ PutTrigger::Known { .. } => panic!("{known:?}"),
    }
}

/// Starts a trigger's cycle, as a daemon that read the trigger long ago would.
pub async fn start(store: &dyn Store, name: &str, id: TriggerId) -> Option<CycleKey> {
    let started = store.start_cycle(id, &[], queued(name, "staging"), at(40)).await.unwrap();
    started.map(|(cycle, _)| cycle)
}

pub async fn a_trigger_waits_as_it_was_stored<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    assert_eq!(store.waiting_triggers().await.unwrap(), []);
    let first = put(&*store, trigger("chat", None)).await;
    let bare = NewTrigger {
        requested: None,
        options: RunOptions { deploy: true, only: None, search_of: None },
        ..trigger("web", None)
    };
    let second = put(&*store, bare).await;
    store.close().await;

    let store = backend.open().await;
    let waiting = store.waiting_triggers().await.unwrap();
    assert_eq!(waiting.iter().map(|row| row.id).collect::<Vec<_>>(), [first, second]);
    let asked = trigger("chat", None);
    let row = &waiting[0];
    assert_eq!((&row.pipeline, &row.environment), (&asked.pipeline, &asked.environment));
    assert_eq!((&row.cause, &row.requested), (&asked.cause, &asked.requested));
    assert_eq!((&row.options, row.not_before), (&asked.options, asked.not_before));
    assert_eq!((row.created_at, &row.branch, row.taken_together.len()), (at(1), &None, 0));
    assert_eq!((&waiting[1].requested, waiting[1].options.deploy), (&None, true));
}

pub async fn a_key_is_known_for_good<B: Backend>() {
    const KEY: &str = "retry after cycle 7";
    let backend = B::create();
    let store = backend.open().await;
    let id = put(&*store, trigger("chat", Some(KEY))).await;
    let again = store.put_trigger(trigger("chat", Some(KEY)), at(2)).await.unwrap();
    assert_eq!(again, PutTrigger::Known { id, cycle: None, asks_the_same: true });
    let another = NewTrigger { requested: Some("v2".to_owned()), ..trigger("chat", Some(KEY)) };
    let again = store.put_trigger(another, at(2)).await.unwrap();
    assert_eq!(again, PutTrigger::Known { id, cycle: None, asks_the_same: false });
    // Keys are of one pipeline, and what has none is always new.
    let elsewhere = put(&*store, trigger("web", Some(KEY))).await;
    put(&*store, trigger("chat", None)).await;
    put(&*store, trigger("chat", None)).await;
    assert_eq!(store.waiting_triggers().await.unwrap().len(), 4);

    assert_eq!(start(&*store, "chat", id).await.map(|cycle| cycle.cycle), Some(1));
    assert!(store.drop_trigger(elsewhere, "not wanted", at(3)).await.unwrap());
    store.close().await;
    let store = backend.open().await;
    let again = store.put_trigger(trigger("chat", Some(KEY)), at(9)).await.unwrap();
    assert_eq!(again, PutTrigger::Known { id, cycle: Some(1), asks_the_same: true });
    let again = store.put_trigger(trigger("web", Some(KEY)), at(9)).await.unwrap();
    assert_eq!(again, PutTrigger::Known { id: elsewhere, cycle: None, asks_the_same: true });
    assert_eq!(store.waiting_triggers().await.unwrap().len(), 2);
}

pub async fn a_trigger_becomes_one_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let id = put(&*store, trigger("chat", None)).await;
    let stale = queued("chat", "preview");
    let (cycle, first) = store.start_cycle(id, &[], stale.clone(), at(40)).await.unwrap().unwrap();
    assert_eq!((cycle.cycle, first.seq, first.at), (1, 1, at(40)));
    // The row knows best what it is for; where and how the cycle runs is the caller's to say.
    let Event::Queued(event) = &first.event else { panic!("{first:?}") };
    let asked = trigger("chat", None);
    assert_eq!((&event.trigger, &event.requested), (&asked.cause, &asked.requested));
    assert_eq!((&event.options, event.cycle), (&asked.options, 1));
    assert_eq!((&event.environment, &event.definition), (&stale.environment, &stale.definition));
    assert_eq!(store.load_events(&cycle, 0).await.unwrap(), [first]);

    assert_eq!(store.waiting_triggers().await.unwrap(), []);
    assert_eq!(start(&*store, "chat", id).await, None);
    assert_eq!(start(&*store, "chat", TriggerId(99)).await, None);
    assert_eq!(store.list_cycles(&pipeline("chat"), 9).await.unwrap().len(), 1);
}

pub async fn of_two_starts_one_wins<B: Backend>() {
    let backend = B::create();
    let stores = [backend.open().await, backend.open().await];
    let id = put(&*stores[0], trigger("chat", None)).await;
    let starts: Vec<_> = (0..8)
        .map(|place| {
            let store = stores[place % 2].clone();
            tokio::spawn(async move { start(&*store, "chat", id).await })
        })
        .collect();
    let mut started = Vec::new();
    for start in starts {
        started.extend(start.await.unwrap());
    }
    assert_eq!(started.len(), 1, "{started:?}");
    assert_eq!(stores[1].open_cycles(None).await.unwrap().len(), 1);
}

pub async fn a_started_trigger_is_not_dropped<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let id = put(&*store, trigger("chat", Some("once"))).await;
    assert!(start(&*store, "chat", id).await.is_some());
    assert!(!store.drop_trigger(id, "too late", at(50)).await.unwrap());
    let again = store.put_trigger(trigger("chat", Some("once")), at(60)).await.unwrap();
    assert_eq!(again, PutTrigger::Known { id, cycle: Some(1), asks_the_same: true });
}

pub async fn a_dropped_trigger_never_starts<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let id = put(&*store, trigger("chat", None)).await;
    assert!(store.drop_trigger(id, "its pipeline is gone", at(3)).await.unwrap());
    assert!(!store.drop_trigger(id, "again", at(4)).await.unwrap());
    assert!(!store.drop_trigger(TriggerId(99), "unknown", at(4)).await.unwrap());
    assert_eq!(store.waiting_triggers().await.unwrap(), []);
    assert_eq!(start(&*store, "chat", id).await, None);
    assert_eq!(store.list_cycles(&pipeline("chat"), 9).await.unwrap(), []);
}

pub async fn a_trigger_starts_in_its_own_pipeline_only<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let id = put(&*store, trigger("chat", None)).await;
    let refused = store.start_cycle(id, &[], queued("web", "staging"), at(40)).await;
    assert!(matches!(refused, Err(StoreError::Unstorable { .. })), "{refused:?}");
    assert_eq!(store.open_cycles(None).await.unwrap(), []);
    assert_eq!(store.waiting_triggers().await.unwrap().len(), 1);
}

pub async fn a_due_time_is_dealt_with_once<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    assert_eq!(store.schedule_cursor(&chat, "nightly").await.unwrap(), None);
    let due =
        |second| store.put_scheduled(&chat, "nightly", at(second), Some(trigger("chat", None)));
    let first = due(100).await.unwrap().unwrap();
    for second in [100, 99] {
        assert_eq!(due(second).await.unwrap(), None, "{second}");
    }
    let waiting = store.waiting_triggers().await.unwrap();
    assert_eq!((waiting.len(), waiting[0].id, waiting[0].created_at), (1, first, at(100)));
    // After a restart, too; another schedule and another pipeline have cursors of their own.
    store.close().await;
    let store = backend.open().await;
    let due = |name, schedule, second| {
        let (store, trigger) = (store.clone(), Some(trigger(name, None)));
        async move { store.put_scheduled(&pipeline(name), schedule, at(second), trigger).await }
    };
    assert_eq!(due("chat", "nightly", 100).await.unwrap(), None);
    assert!(due("chat", "nightly", 101).await.unwrap().is_some());
    assert!(due("chat", "hourly", 100).await.unwrap().is_some());
    assert!(due("web", "nightly", 100).await.unwrap().is_some());
    assert_eq!(store.schedule_cursor(&chat, "nightly").await.unwrap(), Some(at(101)));
    assert_eq!(store.schedule_cursor(&chat, "hourly").await.unwrap(), Some(at(100)));
    assert_eq!(store.waiting_triggers().await.unwrap().len(), 4);
}

pub async fn a_schedule_without_a_trigger_moves_on<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let chat = pipeline("chat");
    assert_eq!(store.put_scheduled(&chat, "nightly", at(100), None).await.unwrap(), None);
    assert_eq!(store.schedule_cursor(&chat, "nightly").await.unwrap(), Some(at(100)));
    let late = store.put_scheduled(&chat, "nightly", at(100), Some(trigger("chat", None))).await;
    assert_eq!(late.unwrap(), None);
    assert_eq!(store.waiting_triggers().await.unwrap(), []);
    // A trigger whose key is known is that one, and the cursor moves all the same.
    let keyed = || Some(trigger("chat", Some("first of the month")));
    let id = store.put_scheduled(&chat, "nightly", at(200), keyed()).await.unwrap();
    assert_eq!(store.put_scheduled(&chat, "monthly", at(200), keyed()).await.unwrap(), id);
    assert_eq!(store.schedule_cursor(&chat, "monthly").await.unwrap(), Some(at(200)));
    assert_eq!(store.waiting_triggers().await.unwrap().len(), 1);
}

pub async fn a_look_wanted_meanwhile_stays<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let (chat, web) = (pipeline("chat"), pipeline("web"));
    assert_eq!(store.wanted_looks().await.unwrap(), []);
    store.finish_look(&chat, 5).await.unwrap();
    store.request_look(&web, "a hook", at(1)).await.unwrap();
    store.request_look(&chat, "a hook", at(1)).await.unwrap();
    store.close().await;

    let store = backend.open().await;
    let wanted = store.wanted_looks().await.unwrap();
    assert_eq!(wanted.iter().map(|(name, _)| name).collect::<Vec<_>>(), [&chat, &web]);
    let seen = wanted[0].1;
    store.request_look(&chat, "another hook", at(2)).await.unwrap();
    store.finish_look(&chat, seen).await.unwrap();
    let newer = store.wanted_looks().await.unwrap()[0].clone();
    assert!(newer.0 == chat && newer.1 > seen, "{newer:?}");
    store.finish_look(&chat, newer.1).await.unwrap();
    // What is done stays done, and a number far ahead does not swallow what is wanted later.
    store.finish_look(&chat, seen).await.unwrap();
    assert_eq!(store.wanted_looks().await.unwrap(), wanted[1..]);
    store.finish_look(&chat, i64::MAX).await.unwrap();
    store.request_look(&chat, "a third", at(3)).await.unwrap();
    assert_eq!(store.wanted_looks().await.unwrap().len(), 2);
}

pub async fn a_watched_pipeline_without_cycles_is_not_listed<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    store.request_look(&pipeline("chat"), "a hook", at(1)).await.unwrap();
    let id = put(&*store, trigger("chat", None)).await;
    assert!(store.list_pipelines().await.unwrap().is_empty());
    start(&*store, "chat", id).await;
    assert_eq!(store.list_pipelines().await.unwrap().len(), 1);
}

pub async fn one_cycle_answers_all_that_join_it<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let first = put(&*store, trigger("chat", None)).await;
    let second = put(&*store, trigger("chat", Some("k"))).await;
    let gone = put(&*store, trigger("chat", Some("gone"))).await;
    let foreign = put(&*store, trigger("web", None)).await;
    assert!(store.drop_trigger(gone, "cancelled", at(3)).await.unwrap());
    let joined = [second, gone, foreign, first];
    let started =
        store.start_cycle(first, &joined, queued("chat", "staging"), at(4)).await.unwrap();
    assert_eq!(started.unwrap().0.cycle, 1);
    let again = store.put_trigger(trigger("chat", Some("k")), at(9)).await.unwrap();
    assert_eq!(again, PutTrigger::Known { id: second, cycle: Some(1), asks_the_same: true });
    let again = store.put_trigger(trigger("chat", Some("gone")), at(9)).await.unwrap();
    assert_eq!(again, PutTrigger::Known { id: gone, cycle: None, asks_the_same: true });
    let waiting = store.waiting_triggers().await.unwrap();
    assert_eq!(waiting.iter().map(|t| t.id).collect::<Vec<_>>(), [foreign]);
}
