//! The list row of a cycle, as its events change it. Pure: the same events give the same row, so a
//! lost row could be made again.

use jiff::Timestamp;

use crate::domain::event::{Event, Recorded};
use crate::domain::history::Counts;
use crate::domain::outcome::{Phase, Verdict, VoidReason};
use crate::domain::revision::Revision;

/// What a batch of events sets in the row; `None` leaves what is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RowPatch {
    pub phase: Option<Phase>,
    pub held: Option<bool>,
    pub revision: Option<Revision>,
    pub suite: Option<String>,
    pub suite_digest: Option<String>,
    pub suite_ms: Option<u64>,
    pub counts: Option<Counts>,
    pub verdict: Option<Verdict>,
    pub void_reason: Option<VoidReason>,
    pub decided_at: Option<Timestamp>,
    pub report: Option<String>,
    pub finished_at: Option<Timestamp>,
}

/// What a batch of events, in order, sets in the row of their cycle.
pub(super) fn patch_of(events: &[Recorded]) -> RowPatch {
    let mut patch = RowPatch::default();
    for recorded in events {
        patch.fold(recorded);
    }
    patch
}

impl RowPatch {
    fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Queued(queued) => {
                self.phase = Some(Phase::Queued);
                self.suite.clone_from(&queued.definition.suite);
                self.suite_digest.clone_from(&queued.definition.suite_digest);
            }
            Event::PhaseStarted(started) => self.phase = Some(started.phase),
            Event::RevisionResolved(resolved) => self.revision = Some(resolved.revision.clone()),
            Event::SuitePlanned(plan) => {
                self.suite = Some(plan.name.clone());
                self.suite_digest = Some(plan.digest.clone());
                // No suite has four billion cases; a list that says so is not worth a failure.
                let planned = u32::try_from(plan.cases.len()).unwrap_or(u32::MAX);
                self.counts = Some(Counts { planned, ..Counts::default() });
            }
            Event::SuiteEnded(ended) => self.suite_ms = Some(ended.duration_ms),
            Event::Analysed(findings) => {
                self.counts = Some(findings.counts);
                self.decide(findings.verdict, findings.void_reason, recorded.at);
            }
            Event::ReportWritten(report) => self.report = Some(report.path.clone()),
            Event::Held(_) => self.held = Some(true),
            Event::Resumed(_) => self.held = Some(false),
            Event::Finished(finished) => {
                self.phase = Some(Phase::Finished);
                self.held = Some(false);
                self.finished_at = Some(recorded.at);
                self.decide(finished.verdict, finished.void_reason, recorded.at);
            }
            Event::StepStarted(_)
            | Event::StepEnded(_)
            | Event::SurfacesRead(_)
            | Event::ControlsRead(_)
            | Event::CommandStarted(_)
            // The row is told how many cases there were when they were judged.
            | Event::CasesPlanned(_)
            | Event::CommandEnded(_)
            | Event::AttemptFinished(_)
            | Event::PhaseEnded(_)
            | Event::RollbackPlanned(_)
            | Event::CancelRequested(_) => {}
        }
    }

    fn decide(&mut self, verdict: Verdict, void_reason: Option<VoidReason>, at: Timestamp) {
        self.verdict = Some(verdict);
        self.void_reason = void_reason;
        self.decided_at = self.decided_at.or(Some(at));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::event::{Finished, Held, PhaseStarted, ResumeAs, Resumed};
    use crate::domain::outcome::Verdict;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn patch(events: Vec<Event>) -> RowPatch {
        let numbered = events.into_iter().zip(1..);
        let recorded: Vec<Recorded> = numbered
            .map(|(event, seq)| Recorded { seq, at: at(i64::try_from(seq).unwrap()), event })
            .collect();
        patch_of(&recorded)
    }

    fn phase(phase: Phase) -> Event {
        Event::PhaseStarted(PhaseStarted { phase, deadline_at: None })
    }

    fn held() -> Event {
        Event::Held(Held { reason: "unknown".to_owned() })
    }

    fn resumed() -> Event {
        Event::Resumed(Resumed { decision: ResumeAs::Failed, by: "ada".to_owned() })
    }

    fn finished(verdict: Verdict, void_reason: Option<VoidReason>) -> Event {
        Event::Finished(Finished { verdict, void_reason })
    }

    #[test]
    fn the_last_event_of_a_batch_has_the_last_word() {
        let patch = patch(vec![phase(Phase::Checkout), held(), resumed(), phase(Phase::Ready)]);
        assert_eq!((patch.phase, patch.held), (Some(Phase::Ready), Some(false)));
        assert_eq!((patch.verdict, patch.finished_at), (None, None));
    }

    #[test]
    fn an_end_decides_when_nothing_did_before() {
        let patch = patch(vec![held(), finished(Verdict::Void, Some(VoidReason::NoResults))]);
        assert_eq!((patch.phase, patch.held), (Some(Phase::Finished), Some(false)));
        assert_eq!(
            (patch.verdict, patch.void_reason),
            (Some(Verdict::Void), Some(VoidReason::NoResults),)
        );
        assert_eq!((patch.decided_at, patch.finished_at), (Some(at(2)), Some(at(2))));
    }

    #[test]
    fn an_event_without_a_place_in_the_row_changes_nothing() {
        let cancel = crate::domain::event::CancelRequested { by: "SIGINT".to_owned() };
        assert_eq!(patch(vec![Event::CancelRequested(cancel)]), RowPatch::default());
    }
}
