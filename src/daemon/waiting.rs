//! Commits that are pending, as their forges are told: as soon as one is taken, while it waits or another covers it,
//! and when that is over. What its own cycle tells is not told here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::handle::Handle;
use crate::domain::errors::chain;
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::{TriggerKind, Verdict};
use crate::domain::revision::Sha;
use crate::domain::spec::Pipeline;
use crate::notify::{Hears, hears, shows_statuses, waits};
use crate::store::{
    CycleStanding, Heard, NewMessage, StoreError, ToldWaiting, TriggerId, WaitingMark,
    WaitingTrigger, WaitsNow,
};

/// What is to be stored: who was told what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    marks: Vec<WaitingMark>,
    messages: Vec<NewMessage>,
}

/// Has the forges told which commits wait now (`left`), and of those that are pending what became of them. `busy` are
/// the environments in which something runs.
pub(super) async fn tell(
    handle: &Handle,
    left: &[WaitingTrigger],
    busy: &BTreeSet<EnvironmentName>,
    now: Timestamp,
) {
    if let Err(fault) = try_to_tell(handle, left, busy, now).await {
        // What is not marked is told at the next look.
        tracing::warn!("cannot store which commits wait: {}", chain(&fault));
    }
}

async fn try_to_tell(
    handle: &Handle,
    left: &[WaitingTrigger],
    busy: &BTreeSet<EnvironmentName>,
    now: Timestamp,
) -> Result<(), StoreError> {
    // A file that went away under us still says whom to tell.
    let find =
        |name: &PipelineName| handle.ever_served(name).filter(|pipeline| shows_statuses(pipeline));
    let store = handle.store();
    let told = store.told_waiting().await?;
    let told = plan(&Seen { left, told: &told, busy }, find);
    if told.marks.is_empty() {
        return Ok(());
    }
    store.mark_waiting(told.marks, told.messages, now).await?;
    handle.tell_news();
    Ok(())
}

/// What there is to go by.
struct Seen<'a> {
    /// What waits and did not start just now.
    left: &'a [WaitingTrigger],
    told: &'a [ToldWaiting],
    /// Environments in which something runs, or just began to.
    busy: &'a BTreeSet<EnvironmentName>,
}

fn plan(seen: &Seen<'_>, find: impl Fn(&PipelineName) -> Option<Arc<Pipeline>>) -> Told {
    let mut plan = Told::default();
    let mut known: BTreeSet<(TriggerId, &Sha)> = BTreeSet::new();
    let latest = latest(seen.told);
    for one in seen.told {
        known.insert((one.trigger, &one.sha));
        // One whose pipeline nobody knows hears of it once that is served again.
        let Some(pipeline) = find(&one.pipeline) else { continue };
        let hears = if latest[&(&one.pipeline, &one.sha)] != one.trigger {
            // It came back, and hears of what became of it then.
            Hears::End(Vec::new())
        } else if runs_again(one, &pipeline, seen) {
            Hears::Nothing
        } else {
            hears(&pipeline, one)
        };
        let (heard, messages) = match hears {
            Hears::Nothing => continue,
            Hears::More(heard, messages) => (Some(heard), messages),
            Hears::End(messages) => {
                known.remove(&(one.trigger, &one.sha));
                (None, messages)
            }
        };
        plan.marks.push(WaitingMark { trigger: one.trigger, sha: one.sha.clone(), heard });
        plan.messages.extend(messages);
    }
    for trigger in seen.left {
        let (Some(pipeline), Some(sha)) = (find(&trigger.pipeline), commit_of(trigger)) else {
            continue;
        };
        if !known.contains(&(trigger.id, &sha)) {
            let before = before(trigger, seen);
            plan.messages.extend(waits(&pipeline, trigger.id, &sha, before));
            let heard = Some(Heard::Waits);
            plan.marks.push(WaitingMark { trigger: trigger.id, sha, heard });
        }
    }
    plan
}

/// The trigger with which each commit waited last.
fn latest(told: &[ToldWaiting]) -> BTreeMap<(&PipelineName, &Sha), TriggerId> {
    let mut latest = BTreeMap::new();
    for one in told {
        let of = latest.entry((&one.pipeline, &one.sha)).or_insert(one.trigger);
        *of = (*of).max(one.trigger);
    }
    latest
}

/// Whether a cycle that covers a commit was void and is run once again: the end is that of the second one.
/// While something runs there, that may be asked for yet, or be about to begin.
fn runs_again(one: &ToldWaiting, pipeline: &Pipeline, seen: &Seen<'_>) -> bool {
    let WaitsNow::Cycle {
        revision: Some(tested),
        standing: CycleStanding::Over { verdict: Verdict::Void, .. },
        ..
    } = &one.now
    else {
        return false;
    };
    let again = |trigger: &WaitingTrigger| {
        trigger.pipeline == one.pipeline
            && trigger.cause.kind == TriggerKind::Retry
            && trigger.requested.as_deref() == Some(tested.as_str())
    };
    seen.busy.contains(&pipeline.environment) || seen.left.iter().any(again)
}

/// The commit whose arrival a trigger is. What a person or a schedule wants may be no commit's news.
fn commit_of(trigger: &WaitingTrigger) -> Option<Sha> {
    trigger.branch.as_ref()?;
    Sha::parse(trigger.requested.as_deref()?).ok()
}

/// How many have the same environment before it: what runs there, and what was stored earlier.
fn before(trigger: &WaitingTrigger, seen: &Seen<'_>) -> usize {
    let earlier = seen
        .left
        .iter()
        .filter(|other| other.environment == trigger.environment && other.id < trigger.id);
    earlier.count() + usize::from(seen.busy.contains(&trigger.environment))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::testing;
    use crate::domain::event::RunOptions;
    use crate::domain::outcome::Trigger;
    use crate::domain::spec::{Forge, ForgeRepo, Notify, NotifyChannel};
    use crate::domain::template::Template;

    fn sha(digit: char) -> Sha {
        Sha::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn pipeline() -> Pipeline {
        let (token, repo) = (Template::literal("t"), "acme/chat".to_owned());
        let status = ForgeRepo { forge: Forge::Github, repo, token, api: None };
        let notify = vec![Notify { channel: NotifyChannel::CommitStatus(status), on: vec![] }];
        Pipeline { notify, ..testing::pipeline() }
    }

    fn trigger(id: i64, kind: TriggerKind, of: char) -> WaitingTrigger {
        WaitingTrigger {
            id: TriggerId(id),
            pipeline: pipeline().name,
            environment: pipeline().environment,
            cause: Trigger { kind, detail: String::new() },
            requested: Some(sha(of).as_str().to_owned()),
            branch: (kind == TriggerKind::Commit).then(|| "main".to_owned()),
            taken_together: vec![],
            options: RunOptions { deploy: true, only: None, search_of: None },
            created_at: Timestamp::UNIX_EPOCH,
            not_before: Timestamp::UNIX_EPOCH,
        }
    }

    fn told(id: i64, of: char, now: WaitsNow) -> ToldWaiting {
        let (trigger, heard) = (TriggerId(id), Heard::Waits);
        ToldWaiting { trigger, pipeline: pipeline().name, sha: sha(of), heard, now }
    }

    fn planned(left: &[WaitingTrigger], told: &[ToldWaiting], busy: bool) -> Told {
        let busy = busy.then(|| pipeline().environment).into_iter().collect();
        plan(&Seen { left, told, busy: &busy }, |_| Some(Arc::new(pipeline())))
    }

    fn mark(id: i64, of: char, heard: Option<Heard>) -> WaitingMark {
        WaitingMark { trigger: TriggerId(id), sha: sha(of), heard }
    }

    #[test]
    fn a_newer_commit_waits_too_and_the_one_it_covers_is_not_let_go() {
        let left = [trigger(1, TriggerKind::Commit, 'b')];
        let before = [told(1, 'a', WaitsNow::For(sha('b')))];
        let both = [mark(1, 'a', Some(Heard::WithNewer)), mark(1, 'b', Some(Heard::Waits))];
        assert_eq!(planned(&left, &before, true).marks, both);
        let both = both.map(|mark| ToldWaiting {
            heard: mark.heard.unwrap(),
            ..told(1, mark.sha.as_str().chars().next().unwrap(), WaitsNow::For(sha('b')))
        });
        assert_eq!(planned(&left, &both, true), Told::default(), "each is told once");
    }

    #[test]
    fn a_commit_that_came_back_hears_of_what_became_of_it_then() {
        let standing = CycleStanding::Over { verdict: Verdict::Green, ran: 1, planned: 1 };
        let (asked_for, revision) = (sha('b'), Some(sha('b')));
        let covered = WaitsNow::Cycle { asked_for, number: 4, revision, standing };
        let before = [told(1, 'a', covered), told(2, 'a', WaitsNow::For(sha('a')))];
        let left = [trigger(2, TriggerKind::Commit, 'a')];
        let plan = planned(&left, &before, true);
        assert_eq!((plan.marks, plan.messages), (vec![mark(1, 'a', None)], vec![]));
    }

    #[test]
    fn a_void_cycle_is_no_end_while_it_may_run_once_again() {
        let over = |verdict| {
            let standing = CycleStanding::Over { verdict, ran: 1, planned: 1 };
            let (asked_for, revision) = (sha('b'), Some(sha('b')));
            [told(1, 'a', WaitsNow::Cycle { asked_for, number: 4, revision, standing })]
        };
        let ends = |verdict, left: &[WaitingTrigger], busy| {
            planned(left, &over(verdict), busy).marks.contains(&mark(1, 'a', None))
        };
        let again = [trigger(2, TriggerKind::Retry, 'b')];
        let other = [trigger(2, TriggerKind::Retry, 'c')];
        for (verdict, left, busy, expected) in [
            (Verdict::Void, &again[..], false, false),
            (Verdict::Void, &[], true, false),
            (Verdict::Void, &other, false, true),
            (Verdict::Void, &[], false, true),
            (Verdict::Red, &again, true, true),
        ] {
            assert_eq!(ends(verdict, left, busy), expected, "{verdict} {left:?} {busy}");
        }
    }
}
