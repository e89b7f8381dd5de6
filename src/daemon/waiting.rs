//! Commits that wait, as their forges are told: as soon as one is taken, and when it waits no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::handle::Handle;
use crate::domain::errors::chain;
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::revision::Sha;
use crate::domain::spec::Pipeline;
use crate::notify::{shows_statuses, waits, waits_no_more};
use crate::store::{NewMessage, StoreError, ToldWaiting, TriggerId, WaitingMark, WaitingTrigger};

/// What is to be stored: who was told what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    marks: Vec<WaitingMark>,
    messages: Vec<NewMessage>,
}

/// Has the forges told which commits wait now, and of those that do no more what became of them. `busy` are the
/// environments in which something runs.
pub(super) async fn tell(
    handle: &Handle,
    waiting: &[WaitingTrigger],
    busy: &BTreeSet<EnvironmentName>,
    now: Timestamp,
) {
    if let Err(fault) = try_to_tell(handle, waiting, busy, now).await {
        // What is not marked is told at the next look.
        tracing::warn!("cannot store which commits wait: {}", chain(&fault));
    }
}

async fn try_to_tell(
    handle: &Handle,
    waiting: &[WaitingTrigger],
    busy: &BTreeSet<EnvironmentName>,
    now: Timestamp,
) -> Result<(), StoreError> {
    // A file that went away under us still says whom to tell.
    let find =
        |name: &PipelineName| handle.ever_served(name).filter(|pipeline| shows_statuses(pipeline));
    let store = handle.store();
    let told = plan(waiting, &store.told_waiting().await?, find, busy);
    if told.marks.is_empty() {
        return Ok(());
    }
    store.mark_waiting(told.marks, told.messages, now).await?;
    handle.tell_news();
    Ok(())
}

fn plan(
    waiting: &[WaitingTrigger],
    told: &[ToldWaiting],
    find: impl Fn(&PipelineName) -> Option<Arc<Pipeline>>,
    busy: &BTreeSet<EnvironmentName>,
) -> Told {
    let mut plan = Told::default();
    let mut known: BTreeSet<(TriggerId, &Sha)> = BTreeSet::new();
    for one in told {
        // One whose pipeline nobody knows hears of it once that is served again.
        let heard = find(&one.pipeline).and_then(|pipeline| waits_no_more(&pipeline, one));
        match heard {
            Some(messages) => {
                plan.marks.push(WaitingMark { trigger: one.trigger, sha: None });
                plan.messages.extend(messages);
            }
            None => {
                known.insert((one.trigger, &one.sha));
            }
        }
    }
    for trigger in waiting {
        let (Some(pipeline), Some(sha)) = (find(&trigger.pipeline), commit_of(trigger)) else {
            continue;
        };
        if !known.contains(&(trigger.id, &sha)) {
            let before = before(trigger, waiting, busy);
            plan.messages.extend(waits(&pipeline, trigger.id, &sha, before));
            plan.marks.push(WaitingMark { trigger: trigger.id, sha: Some(sha) });
        }
    }
    plan
}

/// The commit whose arrival a trigger is. What a person or a schedule wants may be no commit's news.
fn commit_of(trigger: &WaitingTrigger) -> Option<Sha> {
    trigger.branch.as_ref()?;
    Sha::parse(trigger.requested.as_deref()?).ok()
}

/// How many have the same environment before it: what runs there, and what was stored earlier.
fn before(
    trigger: &WaitingTrigger,
    waiting: &[WaitingTrigger],
    busy: &BTreeSet<EnvironmentName>,
) -> usize {
    let earlier = waiting
        .iter()
        .filter(|other| other.environment == trigger.environment && other.id < trigger.id);
    earlier.count() + usize::from(busy.contains(&trigger.environment))
}
