//! Copies that are unpacked and opened again.

#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::cycle::testing;
use crate::domain::event::Event;
use crate::store::{Append, Projection, Which};

async fn backup(state: &Path) -> Backup {
    let store = SqliteStore::open(&state.join(FILE_NAME), Mode::ReadWrite).await.unwrap();
    Backup { store: Arc::new(store), paths: StatePaths::new(state.to_owned()) }
}

/// A cycle that is over, or that goes on, with a log.
async fn cycle(backup: &Backup, is_over: bool) -> CycleKey {
    let mut story = testing::story();
    let Event::Queued(queued) = story.remove(0) else { panic!("it begins with that") };
    let (cycle, _) = backup.store.create_cycle(*queued, testing::at(0)).await.unwrap();
    if is_over {
        let (at, projection) = (testing::at(60), Projection::default());
        let cycle = cycle.clone();
        let append = Append { cycle, expected_seq: 1, lease: None, events: story, at, projection };
        backup.store.append(append).await.unwrap();
    }
    let runs = backup.paths.root().join(StatePaths::cycle_runs(&cycle.pipeline, cycle.cycle));
    fs::create_dir_all(runs.join("deploy-01-1")).unwrap();
    fs::write(runs.join("deploy-01-1/output.log"), format!("log of {cycle}")).unwrap();
    cycle
}

fn unpack(archive: &Path, into: &Path) -> Vec<String> {
    let mut unpacked = tar::Archive::new(File::open(archive).unwrap());
    unpacked.unpack(into).unwrap();
    let mut names = Vec::new();
    let mut left = vec![into.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            names.push(path.strip_prefix(into).unwrap().display().to_string());
        }
    }
    names.sort();
    names
}

#[tokio::test]
async fn what_was_copied_is_a_state_again() {
    let state = tempfile::tempdir().unwrap();
    let backup = backup(state.path()).await;
    let over = cycle(&backup, true).await;
    let open = cycle(&backup, false).await;
    // What has no place in a copy.
    for stray in ["ballast", "daemon.lock", "mirrors/a/HEAD", "runs/chat-staging/0009/a"] {
        let stray = state.path().join(stray);
        fs::create_dir_all(stray.parent().unwrap()).unwrap();
        fs::write(stray, "stray").unwrap();
    }
    let target = tempfile::tempdir().unwrap();
    let archive = target.path().join("andon.tar");
    let done = backup.write(&archive).await.unwrap();
    assert_eq!((done.cycles, done.open), (2, 1));
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing is left beside it");
    // What comes later is not in it.
    cycle(&backup, true).await;

    let restored = tempfile::tempdir().unwrap();
    let name = over.pipeline.as_str();
    let log = |cycle: u32| format!("runs/{name}/{cycle:04}/deploy-01-1/output.log");
    assert_eq!(unpack(&archive, restored.path()), [FILE_NAME.to_owned(), log(1), log(2)]);
    assert_eq!(fs::read_to_string(restored.path().join(log(2))).unwrap(), format!("log of {open}"));
    let store = SqliteStore::open(&restored.path().join(FILE_NAME), Mode::ReadWrite).await.unwrap();
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
    assert_eq!(store.open_cycles(None).await.unwrap()[0].key(), open);
    let newest = store.find_cycle(&over.pipeline, Which::Latest).await.unwrap().unwrap();
    assert_eq!(newest.key(), open);
}

#[tokio::test]
async fn a_copy_is_never_written_over() {
    let state = tempfile::tempdir().unwrap();
    let backup = backup(state.path()).await;
    let target = tempfile::tempdir().unwrap();
    let archive = target.path().join("andon.tar");
    fs::write(&archive, "the copy of yesterday").unwrap();
    let fault = backup.write(&archive).await.unwrap_err();
    assert!(fault.to_string().starts_with("cannot write"), "{fault}");
    assert_eq!(fs::read_to_string(&archive).unwrap(), "the copy of yesterday");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1);
    backup.write(&target.path().join("nowhere/andon.tar")).await.unwrap_err();
}

/// Cycles go on while copies are made: each copy is whole, and no log in it is ahead of its records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_under_load_hold_together() {
    let state = tempfile::tempdir().unwrap();
    let backup = Arc::new(backup(state.path()).await);
    let busy = Arc::clone(&backup);
    let load = tokio::spawn(async move {
        for number in 0.. {
            cycle(&busy, number % 3 != 0).await;
        }
    });
    let target = tempfile::tempdir().unwrap();
    for number in 0..10 {
        let archive = target.path().join(format!("{number}.tar"));
        let done = backup.write(&archive).await.unwrap();
        let restored = target.path().join(format!("{number}"));
        let files = unpack(&archive, &restored);
        let store = SqliteStore::open(&restored.join(FILE_NAME), Mode::ReadOnly).await.unwrap();
        assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
        let mut known = BTreeSet::new();
        for pipeline in store.list_pipelines().await.unwrap() {
            for row in store.list_cycles(&pipeline.pipeline, ALL).await.unwrap() {
                let log = format!(
                    "runs/{}/{:04}/deploy-01-1/output.log",
                    row.pipeline, row.summary.cycle
                );
                let is_there = files.contains(&log);
                assert!(
                    is_there || row.finished_at.is_none() || row.key().cycle == pipeline.cycles
                );
                known.insert(log);
            }
        }
        assert_eq!(known.len(), done.cycles);
        let strangers: Vec<_> =
            files.iter().filter(|file| *file != FILE_NAME && !known.contains(*file)).collect();
        assert!(strangers.is_empty(), "copy {number}: {strangers:?}");
    }
    load.abort();
}
