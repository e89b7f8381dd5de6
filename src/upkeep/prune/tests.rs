//! Whole passes over a real store and real folders.

#![allow(clippy::unwrap_used)]
use std::path::Path;

use super::*;
use crate::cycle::testing;
use crate::domain::event::Event;
use crate::store::sqlite::{Mode, SqliteStore};
use crate::store::{Append, Projection, StoreError, Which};

const DAY: i64 = 24 * 60 * 60;

async fn pruner(state: &Path) -> Pruner {
    let store = SqliteStore::open(&state.join("andon.db"), Mode::ReadWrite).await.unwrap();
    Pruner {
        store: Arc::new(store),
        paths: StatePaths::new(state.to_owned()),
        pace: Pace::AtOnce,
        stop: CancellationToken::new(),
    }
}

/// A cycle that was over on that day, with a log of a thousand bytes. They are all red, of a revision
/// each.
async fn finish_cycle(pruner: &Pruner, day: i64) -> CycleKey {
    let mut story = testing::story();
    let Event::Queued(queued) = story.remove(0) else { panic!("it begins with that") };
    let at = testing::at(day * DAY);
    let (cycle, _) = pruner.store.create_cycle(*queued, at).await.unwrap();
    for event in &mut story {
        if let Event::RevisionResolved(resolved) = event {
            let sha = format!("{:040x}", cycle.cycle);
            resolved.revision.sha = crate::domain::revision::Sha::parse(&sha).unwrap();
        }
    }
    let projection = Projection::default();
    let append = Append {
        cycle: cycle.clone(),
        expected_seq: 1,
        lease: None,
        events: story,
        at,
        projection,
    };
    pruner.store.append(append).await.unwrap();
    let folder =
        pruner.paths.root().join(StatePaths::cycle_runs(&cycle.pipeline, cycle.cycle)).join("a");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("output.log"), "x".repeat(1_000)).unwrap();
    cycle
}

fn limits(cycles: u32) -> Limits {
    Limits { days: None, cycles: Some(cycles), bytes: None }
}

async fn kept(pruner: &Pruner) -> Vec<u32> {
    let histories = pruner.store.retention_histories(testing::at(0)).await.unwrap();
    histories[0].kept.iter().map(|cycle| cycle.cycle).collect()
}

#[tokio::test]
async fn records_and_logs_go_and_the_row_stays() {
    let state = tempfile::tempdir().unwrap();
    let pruner = pruner(state.path()).await;
    let mut cycles = Vec::new();
    for day in 0..4 {
        cycles.push(finish_cycle(&pruner, day).await);
    }
    let now = testing::at(5 * DAY);
    let pruned = pruner.prune(&limits(2), now).await.unwrap();
    assert_eq!(pruned.plan.expire.len(), 2);
    assert_eq!(kept(&pruner).await, [3, 4]);

    let first = &cycles[0];
    let row = pruner.store.find_cycle(&first.pipeline, Which::Number(1)).await.unwrap().unwrap();
    assert_eq!((row.expired_at, row.summary.verdict.is_some()), (Some(now), true));
    let fault = pruner.store.load_events(first, 0).await.unwrap_err();
    assert!(matches!(&fault, StoreError::Expired { at, .. } if *at == now), "{fault}");
    assert!(!pruner.store.load_events(&cycles[3], 0).await.unwrap().is_empty());
    let runs =
        |cycle: u32| pruner.paths.root().join(StatePaths::cycle_runs(&first.pipeline, cycle));
    assert!(!runs(1).exists() && !runs(2).exists() && runs(3).exists());
    assert_eq!(pruner.store.integrity_check().await.unwrap(), Vec::<String>::new());
    assert_eq!(pruner.prune(&limits(2), now).await.unwrap().plan.expire, []);
}

#[tokio::test]
async fn what_a_cycle_takes_is_measured_with_its_logs() {
    let state = tempfile::tempdir().unwrap();
    let pruner = pruner(state.path()).await;
    for day in 0..3 {
        finish_cycle(&pruner, day).await;
    }
    let all = Limits { bytes: Some(u64::MAX), ..limits(u32::MAX) };
    assert_eq!(pruner.plan(&all, testing::at(4 * DAY)).await.unwrap(), Plan::default());
    let histories = pruner.store.retention_histories(testing::at(0)).await.unwrap();
    let bytes: Vec<u64> = histories[0].kept.iter().filter_map(|cycle| cycle.bytes).collect();
    assert!(bytes.len() == 3 && bytes.iter().all(|bytes| *bytes > 2_000), "{bytes:?}");
    // Room for one and a half.
    let some = Limits { bytes: Some(bytes[0] * 3 / 2), ..limits(u32::MAX) };
    pruner.prune(&some, testing::at(4 * DAY)).await.unwrap();
    assert_eq!(kept(&pruner).await, [3]);
}

#[tokio::test]
async fn a_pass_that_was_cut_short_is_brought_to_its_end() {
    let state = tempfile::tempdir().unwrap();
    let pruner = pruner(state.path()).await;
    let first = finish_cycle(&pruner, 0).await;
    finish_cycle(&pruner, 1).await;
    // The process dies right after the cycle expired, and once more within its rows.
    pruner.store.expire_cycles(std::slice::from_ref(&first), testing::at(DAY)).await.unwrap();
    assert!(!pruner.store.delete_expired(&first, 3).await.unwrap());
    assert_eq!(pruner.store.integrity_check().await.unwrap(), Vec::<String>::new());
    pruner.prune(&limits(u32::MAX), testing::at(DAY)).await.unwrap();
    assert_eq!(pruner.store.expiring_cycles(9).await.unwrap(), []);
    assert!(pruner.store.delete_expired(&first, 1).await.unwrap(), "no row was left");
    let runs = pruner.paths.root().join(StatePaths::cycle_runs(&first.pipeline, 1));
    assert!(!runs.exists());
}

#[tokio::test]
async fn the_file_becomes_smaller() {
    let state = tempfile::tempdir().unwrap();
    let pruner = pruner(state.path()).await;
    for day in 0..60 {
        finish_cycle(&pruner, day).await;
    }
    // Whatever waits in the log is in the file before and after.
    pruner.store.give_back_space(1).await.unwrap();
    let file = state.path().join("andon.db");
    let before = std::fs::metadata(&file).unwrap().len();
    let pruned = pruner.prune(&limits(1), testing::at(70 * DAY)).await.unwrap();
    assert_eq!((pruned.plan.expire.len(), pruned.unused_pages), (59, 0));
    let after = std::fs::metadata(&file).unwrap().len();
    assert!(after < before * 2 / 3, "{before} bytes became {after}");
}
