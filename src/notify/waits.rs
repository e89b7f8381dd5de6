//! What a commit's page says while the commit waits for its turn, and when it waits no more. Pure.
//!
//! Whose forge was told that a commit waits is a mark in the store, written with the very message; so each of
//! them hears an end, whatever happens in between: of its cycle, or here of what became of it instead.

use super::body::StatusState;
use super::news::Messages;
use crate::domain::revision::Sha;
use crate::domain::spec::{NotifyChannel, Pipeline};
use crate::store::{NewMessage, ToldWaiting, TriggerId, WaitsNow};

/// Whether a pipeline shows statuses of commits anywhere.
pub fn shows_statuses(pipeline: &Pipeline) -> bool {
    pipeline.notify.iter().any(|one| matches!(one.channel, NotifyChannel::CommitStatus(_)))
}

/// The commit that a trigger is for waits; `before` it are so many others.
pub fn waits(pipeline: &Pipeline, trigger: TriggerId, sha: &Sha, before: usize) -> Vec<NewMessage> {
    let text = match before {
        0 => "waits for its turn".to_owned(),
        n => format!("waits: {n} before it"),
    };
    let mut out = Messages::of(pipeline);
    let key = format!("{}/waits/{}/{sha}/begin", pipeline.name, trigger.0);
    out.status(&key, sha, StatusState::Pending, &text);
    out.messages
}

/// What a commit of which it was told that it waits hears now: `None` while that is true, or nobody knows better;
/// nothing where its cycle tells.
pub fn waits_no_more(pipeline: &Pipeline, told: &ToldWaiting) -> Option<Vec<NewMessage>> {
    let sha = &told.sha;
    let here = format!("{}/waits/{}/{sha}/end", pipeline.name, told.trigger.0);
    let (key, text) = match &told.now {
        WaitsNow::For(later) if later == sha => return None,
        WaitsNow::For(later) => {
            (here, format!("taken together with {}, which waits", later.short()))
        }
        WaitsNow::Dropped { why } => (here, format!("no cycle runs for it: {why}")),
        WaitsNow::Cycle { revision: Some(tested), .. } if tested == sha => return Some(Vec::new()),
        WaitsNow::Cycle { number, revision: Some(tested), .. } => {
            (here, format!("taken together with {}, which cycle {number} tests", tested.short()))
        }
        WaitsNow::Cycle { is_over: false, .. } => return None,
        // It may have told an end of the commit that it was asked for: then this has its key, and is no news.
        WaitsNow::Cycle { number, .. } => (
            format!("{}/{number}/status/end", pipeline.name),
            format!("cycle {number} ended and tested no commit"),
        ),
    };
    let mut out = Messages::of(pipeline);
    out.status(&key, sha, StatusState::Cancelled, &text);
    Some(out.messages)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::testing;
    use crate::domain::spec::{CommitStatus, Forge, Notify};
    use crate::domain::template::Template;
    use crate::notify::Body;

    fn sha(digit: char) -> Sha {
        Sha::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn pipeline() -> Pipeline {
        let token = Template::literal("t");
        let repo = "acme/chat".to_owned();
        let status = CommitStatus { forge: Forge::Github, repo, token, api: None };
        let channel = NotifyChannel::CommitStatus(status);
        Pipeline { notify: vec![Notify { channel, on: vec![] }], ..testing::pipeline() }
    }

    fn said(messages: &[NewMessage]) -> Vec<(StatusState, String)> {
        let body = |message: &NewMessage| serde_json::from_str(&message.body).unwrap();
        let said = messages.iter().map(|message| match body(message) {
            Body::Status { state, description, sha: of, .. } => {
                assert_eq!(of, sha('a'), "only the commit that was told hears its end");
                (state, description)
            }
            other => panic!("{other:?}"),
        });
        said.collect()
    }

    #[test]
    fn who_waits_hears_how_many_are_before_it() {
        let (pipeline, of) = (pipeline(), TriggerId(7));
        let begin = waits(&pipeline, of, &sha('a'), 2);
        assert_eq!(said(&begin), [(StatusState::Pending, "waits: 2 before it".to_owned())]);
        assert_eq!(
            begin[0].topic.as_deref(),
            Some(&*format!("{} andon/{}", sha('a'), pipeline.name))
        );
        assert_eq!(waits(&pipeline, of, &sha('a'), 0)[0].key, begin[0].key, "once for each commit");
        assert!(shows_statuses(&pipeline));
        let silent = Pipeline { notify: vec![], ..pipeline };
        assert!(!shows_statuses(&silent) && waits(&silent, of, &sha('a'), 0).is_empty());
    }

    #[test]
    fn whatever_becomes_of_it_a_commit_hears_an_end_unless_its_cycle_tells() {
        let cycle = |revision: Option<char>, is_over| WaitsNow::Cycle {
            number: 5,
            revision: revision.map(sha),
            is_over,
        };
        let dropped = WaitsNow::Dropped { why: "cancelled by ada".to_owned() };
        let table: [(WaitsNow, Option<Option<&str>>); 8] = [
            (WaitsNow::For(sha('a')), None),
            (WaitsNow::For(sha('b')), Some(Some("taken together with bbbbbbb, which waits"))),
            (dropped, Some(Some("no cycle runs for it: cancelled by ada"))),
            (cycle(Some('a'), false), Some(None)),
            (cycle(Some('a'), true), Some(None)),
            (
                cycle(Some('b'), false),
                Some(Some("taken together with bbbbbbb, which cycle 5 tests")),
            ),
            (cycle(None, false), None),
            (cycle(None, true), Some(Some("cycle 5 ended and tested no commit"))),
        ];
        for (now, expected) in table {
            let told = ToldWaiting {
                trigger: TriggerId(7),
                pipeline: pipeline().name,
                sha: sha('a'),
                now: now.clone(),
            };
            let heard = waits_no_more(&pipeline(), &told).map(|messages| said(&messages));
            let expected = expected.map(|text| {
                text.into_iter().map(|text| (StatusState::Cancelled, text.to_owned())).collect()
            });
            assert_eq!(heard, expected, "{now:?}");
        }
    }
}
