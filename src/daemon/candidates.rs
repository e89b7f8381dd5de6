//! What waits, as the queue sees it.

use super::handle::Served;
use crate::queue::Candidate;
use crate::store::WaitingTrigger;

/// A trigger as a candidate; `served` is its pipeline as it is served now.
pub(super) fn candidate(trigger: &WaitingTrigger, served: Option<&Served>) -> Candidate {
    let watched = served.and_then(|served| served.pipeline.watch.as_ref());
    Candidate {
        id: trigger.id.0,
        pipeline: trigger.pipeline.clone(),
        environment: trigger.environment.clone(),
        kind: trigger.cause.kind,
        requested: trigger.requested.clone(),
        newest_of: watched.and_then(|watch| newest_of(trigger, &watch.branches)),
        options: trigger.options.clone(),
        created_at: trigger.created_at,
        not_before: trigger.not_before,
    }
}

/// The branch whose newest commit a trigger is for. Without a name it is for the first watched branch
/// that is named without a glob, and where no branch is named, for the only one that is watched.
fn newest_of(trigger: &WaitingTrigger, watched: &[String]) -> Option<String> {
    let named = watched.iter().find(|branch| !branch.contains(['*', '?', '[', '{']));
    match (&trigger.branch, &trigger.requested) {
        (Some(branch), _) if watched.is_empty() || named == Some(branch) => {}
        (None, None) if watched.is_empty() || named.is_some() => {}
        _ => return None,
    }
    Some(named.cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::event::RunOptions;
    use crate::domain::names::{EnvironmentName, PipelineName};
    use crate::domain::outcome::{Trigger, TriggerKind};
    use crate::store::TriggerId;

    fn trigger(branch: Option<&str>, requested: Option<&str>) -> WaitingTrigger {
        let at = jiff::Timestamp::UNIX_EPOCH;
        WaitingTrigger {
            id: TriggerId(1),
            pipeline: PipelineName::parse("chat").unwrap(),
            environment: EnvironmentName::parse("staging").unwrap(),
            cause: Trigger { kind: TriggerKind::Manual, detail: String::new() },
            requested: requested.map(str::to_owned),
            branch: branch.map(str::to_owned),
            taken_together: vec![],
            options: RunOptions { deploy: true, only: None, search_of: None },
            created_at: at,
            not_before: at,
        }
    }

    #[test]
    fn who_names_nothing_is_for_the_branch_that_a_cycle_would_take() {
        type Row<'a> = (&'a [&'a str], Option<&'a str>, Option<&'a str>, Option<&'a str>);
        let table: [Row<'_>; 8] = [
            // The watched branches, the branch that moved, the revision asked for.
            (&[], None, None, Some("")),
            (&[], Some("trunk"), Some("4f1c2aa"), Some("")),
            (&[], None, Some("v1"), None),
            (&["release/*", "main"], None, None, Some("main")),
            (&["release/*", "main"], Some("main"), Some("4f1c2aa"), Some("main")),
            (&["release/*", "main"], Some("release/1"), Some("4f1c2aa"), None),
            // The newest of several branches is known only when they are looked at.
            (&["release/*"], None, None, None),
            (&["release/*"], Some("release/1"), Some("4f1c2aa"), None),
        ];
        for (watched, branch, requested, expected) in table {
            let watched: Vec<String> = watched.iter().map(|name| (*name).to_owned()).collect();
            let found = newest_of(&trigger(branch, requested), &watched);
            assert_eq!(found.as_deref(), expected, "{watched:?} {branch:?} {requested:?}");
        }
    }
}
