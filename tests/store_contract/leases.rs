//! Who may change an environment.

use andon::store::{Acquisition, Append, Liveness, Owner, StoreError};

use crate::Backend;
use crate::sample::{acquire, append, claim, environment, new_cycle, owner, resolved};

pub async fn one_holder_at_a_time<B: Backend>() {
    let backend = B::create();
    let (ours, theirs) = (backend.open().await, backend.open().await);
    let cycle = new_cycle(&*ours, "chat", "staging").await;
    let other = new_cycle(&*ours, "web", "staging").await;
    assert_eq!(ours.environment_holder(&environment("staging")).await.unwrap(), None);
    let lease = acquire(&*ours, claim(&cycle, "staging", 1), Liveness::Alive).await.unwrap();

    let refused = theirs
        .acquire_environment(claim(&other, "staging", 2), &|_: &Owner| Liveness::Alive)
        .await
        .unwrap();
    let Acquisition::Busy(holder) = refused else { panic!("two holders: {refused:?}") };
    assert_eq!((holder.owner.clone(), holder.cycle.clone()), (owner(1), Some(cycle.clone())));
    assert_eq!(theirs.environment_holder(&environment("staging")).await.unwrap(), Some(holder));
    // Another environment is free, and the same process may not hold one twice.
    assert!(acquire(&*theirs, claim(&other, "preview", 2), Liveness::Alive).await.is_some());
    assert!(acquire(&*ours, claim(&other, "staging", 1), Liveness::Alive).await.is_none());

    ours.release_environment(&lease).await.unwrap();
    assert_eq!(theirs.environment_holder(&environment("staging")).await.unwrap(), None);
    assert!(acquire(&*theirs, claim(&other, "staging", 2), Liveness::Alive).await.is_some());
}

pub async fn a_fence_only_grows<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let mut fences = Vec::new();
    for _ in 0..3 {
        let lease = acquire(&*store, claim(&cycle, "staging", 1), Liveness::Alive).await.unwrap();
        fences.push(lease.fence);
        store.release_environment(&lease).await.unwrap();
        let again = store.release_environment(&lease).await;
        assert!(matches!(again, Err(StoreError::Fenced { .. })), "{again:?}");
    }
    assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
}

pub async fn a_dead_holder_is_replaced_and_shut_out<B: Backend>() {
    let backend = B::create();
    let (dead, next) = (backend.open().await, backend.open().await);
    let cycle = new_cycle(&*dead, "chat", "staging").await;
    let stale = acquire(&*dead, claim(&cycle, "staging", 1), Liveness::Alive).await.unwrap();
    let taken = next
        .acquire_environment(claim(&cycle, "staging", 2), &|owner: &Owner| {
            assert_eq!(owner.pid, 1);
            Liveness::Dead
        })
        .await
        .unwrap();
    let Acquisition::Acquired { lease, from } = taken else { panic!("{taken:?}") };
    assert!(lease.fence > stale.fence);
    assert_eq!(from.unwrap().cycle, Some(cycle.clone()));

    // It was only asleep: nothing that it writes counts any more.
    let late = Append { lease: Some(stale.clone()), ..append(&cycle, 1, vec![resolved('b')]) };
    let refused = dead.append(late).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    let refused = dead.release_environment(&stale).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    let append = Append { lease: Some(lease), ..append(&cycle, 1, vec![resolved('a')]) };
    assert_eq!(next.append(append).await.unwrap()[0].seq, 2);
}

pub async fn an_unknown_holder_keeps_its_hold<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let lease = acquire(&*store, claim(&cycle, "staging", 1), Liveness::Alive).await.unwrap();
    assert_eq!(acquire(&*store, claim(&cycle, "staging", 2), Liveness::Unknown).await, None);
    let append = Append { lease: Some(lease), ..append(&cycle, 1, vec![resolved('a')]) };
    store.append(append).await.unwrap();
}

pub async fn only_the_holder_writes_to_its_cycle<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let waiting = new_cycle(&*store, "chat", "staging").await;
    let elsewhere = new_cycle(&*store, "web", "preview").await;
    let lease = acquire(&*store, claim(&cycle, "staging", 1), Liveness::Alive).await.unwrap();

    let refused = store.append(append(&cycle, 1, vec![resolved('a')])).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "without a hold: {refused:?}");
    let foreign =
        Append { lease: Some(lease.clone()), ..append(&elsewhere, 1, vec![resolved('a')]) };
    let refused = store.append(foreign).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "elsewhere: {refused:?}");
    // A cycle that waits may be written to by anyone, such as to say that it is superseded.
    store.append(append(&waiting, 1, vec![resolved('a')])).await.unwrap();

    store.release_environment(&lease).await.unwrap();
    let late = Append { lease: Some(lease), ..append(&cycle, 1, vec![resolved('a')]) };
    let refused = store.append(late).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "after release: {refused:?}");
}

pub async fn of_many_claims_one_wins<B: Backend>() {
    let backend = B::create();
    let stores = [backend.open().await, backend.open().await];
    let cycle = new_cycle(&*stores[0], "chat", "staging").await;
    let claims: Vec<_> = (0..16)
        .map(|pid| {
            let (store, claim) = (stores[pid % 2].clone(), claim(&cycle, "staging", pid as u32));
            tokio::spawn(async move { acquire(&*store, claim, Liveness::Alive).await })
        })
        .collect();
    let mut winners = 0;
    for claim in claims {
        winners += usize::from(claim.await.unwrap().is_some());
    }
    assert_eq!(winners, 1);
}
