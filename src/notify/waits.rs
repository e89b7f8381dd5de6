//! What a commit's page says while the commit waits for its turn, and when it waits no more. Pure.
//!
//! Whose forge was told that a commit is pending is a mark in the store, written with the very message; so each of
//! them hears an end, whatever happens in between: of its own cycle, or here of the one that covers it, or of what
//! became of it instead.

use super::body::StatusState;
use super::news::Messages;
use crate::domain::revision::Sha;
use crate::domain::spec::{NotifyChannel, Pipeline};
use crate::store::{CycleStanding, Heard, NewMessage, ToldWaiting, TriggerId, WaitsNow};

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

/// What a commit that is pending hears next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hears {
    /// Nothing: what it was told last is true, or nobody knows better.
    Nothing,
    /// That it is pending still, or held, and how that is now.
    More(Heard, Vec<NewMessage>),
    /// How it ended; no message where its own cycle tells that.
    End(Vec<NewMessage>),
}

/// What a commit hears that is pending. One whose place a newer commit took waits on with that, and hears how the
/// cycle ends that covers both; each of that once, however many newer ones come.
pub fn hears(pipeline: &Pipeline, told: &ToldWaiting) -> Hears {
    let sha = &told.sha;
    let teller = Teller { pipeline, told };
    match &told.now {
        WaitsNow::For(later) if later == sha => Hears::Nothing,
        WaitsNow::For(_) => teller.more(
            Heard::WithNewer,
            StatusState::Pending,
            "waits with a newer commit, whose cycle covers it",
        ),
        WaitsNow::Dropped { why } => {
            teller.end(StatusState::Cancelled, &format!("no cycle runs for it: {why}"))
        }
        WaitsNow::Cycle { revision: Some(tested), .. } if tested == sha => Hears::End(Vec::new()),
        WaitsNow::Cycle { number, revision: Some(tested), standing, .. } => {
            teller.covered(*number, tested, *standing)
        }
        WaitsNow::Cycle { revision: None, standing: CycleStanding::Open { .. }, .. } => {
            Hears::Nothing
        }
        WaitsNow::Cycle { asked_for, number, standing: CycleStanding::Over { .. }, .. } => {
            let text = format!("cycle {number} ended and tested no commit");
            if asked_for == sha {
                // It may have told an end of the commit that it was asked for: then this has its key, and is no news.
                let mut out = Messages::of(pipeline).about(*number);
                let key = format!("{}/{number}/status/end", pipeline.name);
                out.status(&key, sha, StatusState::Cancelled, &text);
                return Hears::End(out.messages);
            }
            teller.end(StatusState::Cancelled, &text)
        }
    }
}

/// Words what one commit hears.
struct Teller<'a> {
    pipeline: &'a Pipeline,
    told: &'a ToldWaiting,
}

impl Teller<'_> {
    fn covered(&self, number: u32, tested: &Sha, standing: CycleStanding) -> Hears {
        let (covers, pending) = (tested.short(), StatusState::Pending);
        match standing {
            CycleStanding::Open { held: false } => {
                let text = format!("cycle {number} runs for {covers}, which covers it");
                self.more(Heard::Runs, pending, &text)
            }
            CycleStanding::Open { held: true } => {
                let text = format!(
                    "held, a person must decide: cycle {number} of {covers}, which covers it"
                );
                self.more(Heard::Held, StatusState::Error, &text)
            }
            CycleStanding::Over { verdict, ran, planned } => {
                let ran = match planned {
                    0 => String::new(),
                    planned => format!(", ran {ran} of {planned}"),
                };
                let text = format!("{verdict}{ran}: cycle {number} of {covers}, which covers it");
                self.end(StatusState::of(verdict), &text)
            }
        }
    }

    fn more(&self, heard: Heard, state: StatusState, text: &str) -> Hears {
        if heard <= self.told.heard {
            return Hears::Nothing;
        }
        Hears::More(heard, self.message(heard.as_str(), state, text))
    }

    fn end(&self, state: StatusState, text: &str) -> Hears {
        Hears::End(self.message("end", state, text))
    }

    fn message(&self, what: &str, state: StatusState, text: &str) -> Vec<NewMessage> {
        let ToldWaiting { trigger, sha, .. } = self.told;
        let mut out = Messages::of(self.pipeline);
        if let WaitsNow::Cycle { number, .. } = self.told.now {
            out = out.about(number);
        }
        let key = format!("{}/waits/{}/{sha}/{what}", self.pipeline.name, trigger.0);
        out.status(&key, sha, state, text);
        out.messages
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::testing;
    use crate::domain::outcome::Verdict;
    use crate::domain::spec::{Forge, ForgeRepo, Notify};
    use crate::domain::template::Template;
    use crate::notify::Body;

    fn sha(digit: char) -> Sha {
        Sha::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn pipeline() -> Pipeline {
        let token = Template::literal("t");
        let repo = "acme/chat".to_owned();
        let status = ForgeRepo { forge: Forge::Github, repo, token, api: None };
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

    fn told(heard: Heard, now: WaitsNow) -> ToldWaiting {
        ToldWaiting { trigger: TriggerId(7), pipeline: pipeline().name, sha: sha('a'), heard, now }
    }

    fn cycle(asked_for: char, revision: Option<char>, standing: CycleStanding) -> WaitsNow {
        let (asked_for, revision) = (sha(asked_for), revision.map(sha));
        WaitsNow::Cycle { asked_for, number: 5, revision, standing }
    }

    const OPEN: CycleStanding = CycleStanding::Open { held: false };

    fn over(verdict: Verdict) -> CycleStanding {
        CycleStanding::Over { verdict, ran: 24, planned: 25 }
    }

    #[test]
    fn whatever_becomes_of_it_a_commit_hears_an_end_unless_its_cycle_tells() {
        // Nothing, an end that its own cycle tells, or one that is told here.
        type Expected = Option<Option<(StatusState, &'static str)>>;
        let cancelled = |text: &'static str| Some(Some((StatusState::Cancelled, text)));
        let dropped = WaitsNow::Dropped { why: "cancelled by ada".to_owned() };
        let table: [(WaitsNow, Expected); 7] = [
            (WaitsNow::For(sha('a')), None),
            (dropped, cancelled("no cycle runs for it: cancelled by ada")),
            (cycle('a', Some('a'), OPEN), Some(None)),
            (cycle('a', Some('a'), over(Verdict::Red)), Some(None)),
            (cycle('a', None, OPEN), None),
            (
                cycle('a', None, over(Verdict::Cancelled)),
                cancelled("cycle 5 ended and tested no commit"),
            ),
            (
                cycle('b', None, over(Verdict::Cancelled)),
                cancelled("cycle 5 ended and tested no commit"),
            ),
        ];
        for (now, expected) in table {
            let heard = match hears(&pipeline(), &told(Heard::Waits, now.clone())) {
                Hears::Nothing => None,
                Hears::End(messages) => {
                    let about = messages.iter().map(|message| {
                        let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
                        body["about_cycle"].as_u64()
                    });
                    let leads = matches!(now, WaitsNow::Cycle { .. }).then_some(5);
                    assert!(about.into_iter().all(|cycle| cycle == leads), "{messages:?}");
                    Some(said(&messages))
                }
                more @ Hears::More(..) => panic!("{more:?}"),
            };
            let expected = expected
                .map(|end| end.into_iter().map(|(state, text)| (state, text.to_owned())).collect());
            assert_eq!(heard, expected, "{now:?}");
        }
    }

    /// A cycle may have told the end of the commit that it was asked for. Under that key one that it covers besides
    /// would hear nothing, ever.
    #[test]
    fn who_was_covered_by_a_cycle_without_a_commit_has_a_key_of_its_own() {
        let key = |asked_for| {
            let now = cycle(asked_for, None, over(Verdict::Cancelled));
            match hears(&pipeline(), &told(Heard::Waits, now)) {
                Hears::End(messages) => messages[0].key.clone(),
                other => panic!("{other:?}"),
            }
        };
        assert!(key('a').contains("/5/status/end/"), "{}", key('a'));
        assert!(key('b').contains(&format!("/waits/7/{}/end/", sha('a'))), "{}", key('b'));
    }

    /// RELIABILITY A11.
    #[test]
    fn a_commit_that_is_taken_together_is_pending_until_the_verdict_that_covers_it() {
        let held = CycleStanding::Open { held: true };
        let now = |stage| match stage {
            Heard::Waits => WaitsNow::For(sha('a')),
            Heard::WithNewer => WaitsNow::For(sha('b')),
            Heard::Runs => cycle('b', Some('b'), OPEN),
            Heard::Held => cycle('b', Some('b'), held),
        };
        let says = |stage| match stage {
            Heard::Waits => unreachable!("that was told before"),
            Heard::WithNewer => {
                (StatusState::Pending, "waits with a newer commit, whose cycle covers it")
            }
            Heard::Runs => (StatusState::Pending, "cycle 5 runs for bbbbbbb, which covers it"),
            Heard::Held => (
                StatusState::Error,
                "held, a person must decide: cycle 5 of bbbbbbb, which covers it",
            ),
        };
        for heard in Heard::ALL.iter().copied() {
            for stage in Heard::ALL.iter().copied() {
                let next = hears(&pipeline(), &told(heard, now(stage)));
                if stage <= heard {
                    assert_eq!(next, Hears::Nothing, "{heard} then {stage}: each is told once");
                    continue;
                }
                let Hears::More(told, messages) = next else { panic!("{heard} then {stage}") };
                let (state, text) = says(stage);
                assert_eq!((told, said(&messages)), (stage, vec![(state, text.to_owned())]));
            }
            for verdict in Verdict::ALL.iter().copied() {
                let end = hears(&pipeline(), &told(heard, cycle('b', Some('b'), over(verdict))));
                let Hears::End(messages) = end else { panic!("{heard} then {verdict}") };
                let text = format!("{verdict}, ran 24 of 25: cycle 5 of bbbbbbb, which covers it");
                assert_eq!(said(&messages), [(StatusState::of(verdict), text)]);
            }
        }
    }
}
