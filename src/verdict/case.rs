//! What the attempts of a case add up to, and whether a failing case may be tried again.

use crate::domain::attempt::{Attempt, AttemptResult};
use crate::domain::outcome::Outcome;

/// More failing cases than this are an outage, not a flake.
const OUTAGE_CASES: usize = 10;
/// More failing cases than this share of the planned ones, in percent, are an outage too.
const OUTAGE_PERCENT: usize = 20;

/// The outcome of a case from its attempts of one cycle, in the order of their numbers.
pub fn judge_case(attempts: &[Attempt]) -> Outcome {
    let Some(last) = attempts.iter().max_by_key(|attempt| attempt.number) else {
        return Outcome::NotRun;
    };
    match last.result() {
        AttemptResult::Passed if attempts.len() == 1 => Outcome::Passed,
        AttemptResult::Passed => {
            let failed_before = attempts.iter().any(|attempt| attempt.failure.is_some());
            if failed_before { Outcome::Flaky } else { Outcome::Passed }
        }
        AttemptResult::Skipped => Outcome::Skipped,
        AttemptResult::Failed => Outcome::Failed,
        AttemptResult::Errored => Outcome::Errored,
    }
}

/// Whether failing cases may be tried again in the same cycle: not when more than 10 of them, or
/// more than 20 % of the planned ones, fail. A single failing case may always be, or small suites
/// could never tell a flake.
pub fn may_retry(planned: usize, failing: usize) -> bool {
    let outage = failing > OUTAGE_CASES || failing * 100 > planned * OUTAGE_PERCENT;
    failing == 1 || (failing > 0 && !outage)
}

/// Why a native pass looks too good to be true, if it does.
pub fn suspicious_pass(attempt: &Attempt) -> Option<String> {
    if attempt.result() != AttemptResult::Passed {
        return None;
    }
    let evidence = &attempt.evidence;
    let reached = evidence.exchanges.iter().any(|exchange| exchange.remote.is_some());
    let took = attempt.duration_ms;
    if !reached {
        return Some(format!("passed in {took} ms with no connection to the environment"));
    }
    (evidence.bytes_received == 0)
        .then(|| format!("passed in {took} ms without a byte from the environment"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::evidence::{Evidence, Exchange, Protocol};
    use crate::domain::failure::{Blame, Failure, FailureClass};
    use crate::domain::names::CaseId;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn attempt(number: u32, blame: Option<Blame>) -> Attempt {
        let failure = blame.map(|blame| Failure {
            class: FailureClass::HttpStatus,
            blame,
            message: "expected status 200, got 500".to_owned(),
            step: None,
            expected: None,
            actual: None,
            subject: None,
            repro: None,
        });
        Attempt {
            case: CaseId::parse("a").unwrap(),
            number,
            started_at: Timestamp::UNIX_EPOCH,
            duration_ms: 0,
            failure: failure.map(Into::into),
            skipped: None,
            evidence: Evidence::default(),
        }
    }

    #[test]
    fn outcomes_of_attempts() {
        let (pass, fail, error) = (None, Some(Blame::Service), Some(Blame::Measurement));
        let table: &[(&[Option<Blame>], Outcome)] = &[
            (&[], Outcome::NotRun),
            (&[pass], Outcome::Passed),
            (&[fail], Outcome::Failed),
            (&[error], Outcome::Errored),
            (&[fail, pass], Outcome::Flaky),
            (&[error, pass], Outcome::Flaky),
            (&[fail, fail], Outcome::Failed),
            (&[fail, error], Outcome::Errored),
            (&[error, fail], Outcome::Failed),
            (&[fail, fail, pass], Outcome::Flaky),
        ];
        for (blames, outcome) in table {
            let attempts: Vec<Attempt> =
                (1..).zip(blames.iter()).map(|(number, blame)| attempt(number, *blame)).collect();
            assert_eq!(judge_case(&attempts), *outcome, "{blames:?}");
        }
    }

    #[test]
    fn an_outage_is_no_flake() {
        let table = [
            (25, 0, false),
            (25, 1, true),
            (25, 5, true),
            (25, 6, false),
            (1_000, 10, true),
            (1_000, 11, false),
            (1, 1, true),
            (2, 2, false),
            (10, 2, true),
            (10, 3, false),
        ];
        for (planned, failing, wanted) in table {
            assert_eq!(may_retry(planned, failing), wanted, "{failing} of {planned}");
        }
    }

    #[test]
    fn a_pass_that_reached_nothing_is_suspicious() {
        let mut pass = attempt(1, None);
        assert!(suspicious_pass(&pass).unwrap().contains("no connection"));
        let mut exchange = Exchange::begin("s", Protocol::Http, "GET", "http://x/");
        exchange.remote = Some("127.0.0.1:1".to_owned());
        pass.evidence.record(exchange.clone());
        assert!(suspicious_pass(&pass).unwrap().contains("without a byte"));
        exchange.bytes_received = 10;
        pass.evidence.record(exchange);
        assert_eq!(suspicious_pass(&pass), None);
        assert_eq!(suspicious_pass(&attempt(1, Some(Blame::Service))), None);
    }

    proptest! {
        #[test]
        fn more_failing_cases_never_allow_what_fewer_forbid(planned in 1usize..5_000, failing in 2usize..5_000) {
            if may_retry(planned, failing + 1) {
                prop_assert!(may_retry(planned, failing));
            }
        }
    }
}
