//! Whether a void cycle is run once again (SPEC section 5). Pure: how often it was is the caller's.

use crate::domain::event::NotRunReason;
use crate::domain::outcome::VoidReason;
use crate::domain::state::CycleState;

/// Whether a finished cycle is void for a reason that a second cycle may not have.
///
/// The same pipeline plans the same cases, so a second cycle would only deploy once more to say the
/// same: after `suite_changed`, without a suite, and when the suite skips all that it has.
pub fn deserves_rerun(state: &CycleState) -> bool {
    let void_reason = state.finished.as_ref().and_then(|finished| finished.what.void_reason);
    deserves_rerun_as(state, void_reason)
}

/// Whether a cycle that is about to be void for this reason, or not void, is one of those.
pub fn deserves_rerun_as(state: &CycleState, void_reason: Option<VoidReason>) -> bool {
    let Some(reason) = void_reason else { return false };
    match reason {
        VoidReason::RevisionChanged | VoidReason::ControlFailed => true,
        VoidReason::NoResults => state.suite_ended.as_ref().is_some_and(|ended| {
            ended.not_run.iter().any(|entry| may_run_next_time(&entry.reason))
        }),
        VoidReason::SuiteChanged => false,
    }
}

fn may_run_next_time(reason: &NotRunReason) -> bool {
    match reason {
        NotRunReason::Timeout { .. }
        | NotRunReason::Cancelled
        | NotRunReason::Interrupted
        | NotRunReason::NotReported { .. }
        | NotRunReason::NotReached { .. } => true,
        // Which cases need others, and which kinds of test we run, is the same next time.
        NotRunReason::BlockedBy { .. } | NotRunReason::NotSupported { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::{fold, testing};
    use crate::domain::event::{Finished, NotRun};
    use crate::domain::names::CaseId;
    use crate::domain::outcome::Verdict;
    use crate::domain::state::Stamped;

    fn ended_as(void_reason: Option<VoidReason>) -> CycleState {
        let mut state = fold(testing::record(testing::story())).unwrap();
        let verdict = if void_reason.is_some() { Verdict::Void } else { Verdict::Green };
        state.finished =
            Some(Stamped { at: testing::at(99), what: Finished { verdict, void_reason } });
        state
    }

    fn without_results(reason: NotRunReason) -> CycleState {
        let mut state = ended_as(Some(VoidReason::NoResults));
        let case = CaseId::parse("test_001").unwrap();
        state.suite_ended.as_mut().unwrap().not_run = vec![NotRun { case, reason }];
        state
    }

    #[test]
    fn what_the_environment_did_may_not_happen_again() {
        assert!(deserves_rerun(&ended_as(Some(VoidReason::RevisionChanged))));
        assert!(deserves_rerun(&ended_as(Some(VoidReason::ControlFailed))));
    }

    #[test]
    fn a_suite_that_did_not_get_to_its_cases_gets_another_chance() {
        assert!(deserves_rerun(&without_results(NotRunReason::Timeout { running_ms: None })));
    }

    #[test]
    fn what_the_files_say_would_only_be_said_again() {
        assert!(!deserves_rerun(&ended_as(Some(VoidReason::SuiteChanged))));
        let foreign = NotRunReason::NotSupported { what: "a suite command".to_owned() };
        assert!(!deserves_rerun(&without_results(foreign)));
        // Every case was skipped, or there is no suite at all.
        let mut state = ended_as(Some(VoidReason::NoResults));
        assert!(!deserves_rerun(&state));
        state.suite_ended = None;
        assert!(!deserves_rerun(&state));
    }

    #[test]
    fn only_void_cycles_are_run_again() {
        assert!(!deserves_rerun(&ended_as(None)));
        let unfinished = CycleState { finished: None, ..ended_as(None) };
        assert!(!deserves_rerun(&unfinished));
    }
}
