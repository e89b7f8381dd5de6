//! The ledger: numbers, sequence, durability of what was acknowledged.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use andon::domain::event::{Event, Held, Recorded};
use andon::domain::outcome::Verdict;
use andon::store::StoreError;

use crate::Backend;
use crate::sample::{
    append, at, attempt, ended_cycle, finished, new_cycle, pipeline, queued, resolved,
};

pub async fn numbers_are_given_out_in_order_and_never_twice<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let (key, first) = store.create_cycle(queued("chat", "staging"), at(0)).await.unwrap();
        assert_eq!(first.seq, 1);
        let Event::Queued(event) = first.event else { panic!("the first event is another") };
        assert_eq!(event.cycle, key.cycle);
        numbers.push(key.cycle);
    }
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(new_cycle(&*store, "other", "staging").await.cycle, 1);
    store.close().await;
    assert_eq!(new_cycle(&*backend.open().await, "chat", "staging").await.cycle, 4);
}

pub async fn what_was_appended_is_loaded_by_the_next_process<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let (cycle, first) = store.create_cycle(queued("chat", "staging"), at(0)).await.unwrap();
    let events = vec![resolved('a'), attempt("login", 1)];
    let mut expected: Vec<Recorded> = vec![first];
    expected.extend(store.append(append(&cycle, 1, events)).await.unwrap());
    expected.extend(store.append(append(&cycle, 3, vec![finished(Verdict::Green)])).await.unwrap());
    assert_eq!(expected.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    store.close().await;
    assert_eq!(backend.open().await.load_events(&cycle, 0).await.unwrap(), expected);
}

pub async fn events_after_a_sequence_number_are_loaded_alone<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = ended_cycle(&*store, "chat", "staging", Verdict::Red).await;
    let later = store.load_events(&cycle, 2).await.unwrap();
    assert_eq!(later.iter().map(|r| r.event.kind()).collect::<Vec<_>>(), ["finished"]);
    assert!(store.load_events(&cycle, 3).await.unwrap().is_empty());
    let page = store.load_page(&cycle, 1, 1).await.unwrap();
    assert_eq!(page.iter().map(|r| r.seq).collect::<Vec<_>>(), [2]);
}

pub async fn a_wrong_expected_sequence_number_changes_nothing<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    for expected_seq in [0, 2, u64::MAX - 1] {
        let refused = store.append(append(&cycle, expected_seq, vec![resolved('a')])).await;
        let Err(StoreError::Conflict { expected, found, .. }) = refused else {
            panic!("{expected_seq} was taken: {refused:?}")
        };
        assert_eq!((expected, found), (expected_seq, 1));
    }
    assert_eq!(store.load_events(&cycle, 0).await.unwrap().len(), 1);
}

pub async fn an_unknown_cycle_is_named<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let mut cycle = new_cycle(&*store, "chat", "staging").await;
    cycle.cycle = 9;
    let refused = store.append(append(&cycle, 1, vec![resolved('a')])).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no cycle 9 of chat");
    assert!(store.load_events(&cycle, 0).await.unwrap().is_empty());
}

pub async fn an_empty_append_is_refused<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let refused = store.append(append(&cycle, 1, Vec::new())).await;
    assert!(matches!(refused, Err(StoreError::Unstorable { .. })), "{refused:?}");
}

/// RELIABILITY C6: the sequence orders events, whatever the clock says.
/// Two processes append to the same cycle: each number goes to one of them.
pub async fn two_writers_never_interleave<B: Backend>() {
    let backend = B::create();
    let stores = [backend.open().await, backend.open().await];
    let cycle = new_cycle(&*stores[0], "chat", "staging").await;
    let mut writers = Vec::new();
    for (index, store) in stores.iter().cloned().enumerate() {
        let cycle = cycle.clone();
        writers.push(tokio::spawn(async move {
            let mut written = 0;
            while written < 20 {
                let seen = store.load_events(&cycle, 0).await.unwrap().len() as u64;
                let event = attempt(&format!("writer-{index}"), written + 1);
                match store.append(append(&cycle, seen, vec![event])).await {
                    Ok(_) => written += 1,
                    Err(StoreError::Conflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let events = stores[0].load_events(&cycle, 0).await.unwrap();
    let sequence: Vec<u64> = events.iter().map(|recorded| recorded.seq).collect();
    assert_eq!(sequence, (1..=41).collect::<Vec<_>>());
}

pub async fn a_thousand_attempts_in_one_append_come_back_in_order<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let events: Vec<Event> = (0..1001).map(|n| attempt(&format!("case-{n}"), 1)).collect();
    store.append(append(&cycle, 1, events.clone())).await.unwrap();
    let loaded = store.load_events(&cycle, 1).await.unwrap();
    assert_eq!(loaded.into_iter().map(|r| r.event).collect::<Vec<_>>(), events);
}

/// Drops an append after its first, second, third … poll. Whatever became of it, the store goes on
/// and holds all of it or nothing.
pub async fn a_dropped_call_happened_or_did_not<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let mut abandoned = 0;
    for polls in 1..40 {
        let cycle = new_cycle(&*store, "chat", "staging").await;
        let events = vec![
            resolved('a'),
            Event::Held(Held { reason: "nobody saw its end".to_owned() }),
            attempt("login", 1),
        ];
        let ended = poll_at_most(polls, store.append(append(&cycle, 1, events))).await;
        abandoned += usize::from(ended.is_none());
        // The same connection must be usable at once, and show a whole number of appends.
        let after = store.create_cycle(queued("probe", "staging"), at(1)).await;
        assert!(after.is_ok(), "after {polls} polls: {after:?}");
        let count = store.load_events(&cycle, 0).await.unwrap().len();
        assert!(count == 1 || count == 4, "after {polls} polls there are {count} events");
        poll_at_most(polls, store.list_cycles(&pipeline("chat"), 5)).await;
    }
    assert!(abandoned > 0, "no append was ever abandoned: nothing was tested");
    assert!(backend.open().await.integrity_check().await.unwrap().is_empty());
}

/// Polls a future so many times, lets others run in between, and drops it.
async fn poll_at_most<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
        if let Poll::Ready(output) = polled.await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

pub async fn a_closed_store_refuses<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    store.close().await;
    let append = store.append(append(&cycle, 1, vec![resolved('a')])).await;
    assert!(matches!(append, Err(StoreError::Closed)), "{append:?}");
    let load = store.load_events(&cycle, 0).await;
    assert!(matches!(load, Err(StoreError::Closed)), "{load:?}");
    store.close().await;
}

/// Reports that the store does not know may have taken numbers.
pub async fn a_number_is_no_less_than_was_asked_for<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let mut given = Vec::new();
    for least in [4, 2, 0, 9, 1] {
        let mut queued = queued("chat", "staging");
        queued.cycle = least;
        given.push(store.create_cycle(queued, at(0)).await.unwrap().0.cycle);
    }
    assert_eq!(given, [4, 5, 6, 9, 10]);
}
