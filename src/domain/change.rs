//! The transition table: what was known of a case and what came now give exactly one change.

use super::findings::CaseResult;
use super::history::KnownResult;
use super::names::Fingerprint;
use super::outcome::{Change, Outcome};

/// One side of a comparison: an outcome, with its fingerprint where it was failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The outcome.
    pub outcome: Outcome,
    /// What identifies the failure; `None` also where the records no longer tell.
    pub fingerprint: Option<&'a Fingerprint>,
}

impl<'a> From<&'a KnownResult> for Seen<'a> {
    fn from(known: &'a KnownResult) -> Self {
        Self { outcome: known.outcome, fingerprint: known.fingerprint.as_ref() }
    }
}

impl<'a> From<&'a CaseResult> for Seen<'a> {
    fn from(result: &'a CaseResult) -> Self {
        let fingerprint = result.failure.as_ref().map(|(fingerprint, _)| fingerprint);
        Self { outcome: result.outcome, fingerprint }
    }
}

/// What earlier results amount to.
enum Before<'a> {
    NeverSeen,
    Good,
    Failing(Option<&'a Fingerprint>),
}

/// The change from the last known result to what came now; `None` as `now` means that the case is
/// no longer planned.
///
/// An outcome that tells nothing (`not_run`, `skipped`) as `before` counts as never seen. Two
/// failures are called different only when both fingerprints are known and differ.
pub fn change_of(before: Option<Seen<'_>>, now: Option<Seen<'_>>) -> Change {
    let Some(now) = now else { return Change::Removed };
    match now.outcome {
        Outcome::NotRun => Change::NotRun,
        Outcome::Skipped => Change::Skipped,
        Outcome::Passed | Outcome::Flaky => match before_of(before) {
            Before::NeverSeen => Change::NewPassing,
            Before::Good => Change::StillPassing,
            Before::Failing(_) => Change::Fixed,
        },
        Outcome::Failed | Outcome::Errored => match before_of(before) {
            Before::NeverSeen => Change::NewFailing,
            Before::Good => Change::Regressed,
            Before::Failing(then) if differ(then, now.fingerprint) => Change::ChangedFailure,
            Before::Failing(_) => Change::StillFailing,
        },
    }
}

fn before_of(before: Option<Seen<'_>>) -> Before<'_> {
    let Some(before) = before else { return Before::NeverSeen };
    match before.outcome {
        Outcome::NotRun | Outcome::Skipped => Before::NeverSeen,
        Outcome::Passed | Outcome::Flaky => Before::Good,
        Outcome::Failed | Outcome::Errored => Before::Failing(before.fingerprint),
    }
}

/// Whether two failures are known to be different ones.
pub fn differ(then: Option<&Fingerprint>, now: Option<&Fingerprint>) -> bool {
    matches!((then, now), (Some(then), Some(now)) if then != now)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row of the table in SPEC section 6, written down as it stands there.
    struct Row {
        change: Change,
        from: &'static [&'static str],
        to: &'static [&'static str],
        fingerprint: Option<Same>,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Same {
        Same,
        Another,
    }

    const GOOD: &[&str] = &["passed", "flaky"];
    const FAILING: &[&str] = &["failed", "errored"];
    const NEVER: &[&str] = &["never"];
    const ANYTHING: &[&str] = &["passed", "flaky", "failed", "errored", "never"];

    const TABLE: &[Row] = &[
        row(Change::Regressed, GOOD, FAILING, None),
        row(Change::Fixed, FAILING, GOOD, None),
        row(Change::StillFailing, FAILING, FAILING, Some(Same::Same)),
        row(Change::ChangedFailure, FAILING, FAILING, Some(Same::Another)),
        row(Change::NewFailing, NEVER, FAILING, None),
        row(Change::NewPassing, NEVER, GOOD, None),
        row(Change::StillPassing, GOOD, GOOD, None),
        row(Change::NotRun, ANYTHING, &["not_run"], None),
        row(Change::Skipped, ANYTHING, &["skipped"], None),
        row(Change::Removed, ANYTHING, &["absent"], None),
    ];

    const fn row(
        change: Change,
        from: &'static [&'static str],
        to: &'static [&'static str],
        fingerprint: Option<Same>,
    ) -> Row {
        Row { change, from, to, fingerprint }
    }

    fn word(outcome: Option<Outcome>, none: &'static str) -> &'static str {
        outcome.map_or(none, Outcome::as_str)
    }

    /// The changes whose row matches, by the words of the contract alone.
    pub(crate) fn oracle(before: Option<Outcome>, now: Option<Outcome>, same: bool) -> Vec<Change> {
        let from = match word(before, "never") {
            // Not a known result, so the last known one is older, or there is none.
            "not_run" | "skipped" => "never",
            known => known,
        };
        let to = word(now, "absent");
        let same = if same { Same::Same } else { Same::Another };
        let matching = TABLE.iter().filter(|row| {
            row.from.contains(&from)
                && row.to.contains(&to)
                && row.fingerprint.is_none_or(|wanted| wanted == same)
        });
        matching.map(|row| row.change).collect()
    }

    fn every_outcome_or_none() -> Vec<Option<Outcome>> {
        Outcome::ALL.iter().copied().map(Some).chain([None]).collect()
    }

    #[test]
    fn every_pair_has_exactly_one_change_and_it_is_the_one_of_the_contract() {
        let (one, other) =
            (Fingerprint::new(1, "aaaaaaaaaaaa"), Fingerprint::new(1, "bbbbbbbbbbbb"));
        let mut used = std::collections::HashSet::new();
        for before in every_outcome_or_none() {
            for now in every_outcome_or_none() {
                for then in [&one, &other] {
                    let seen_before =
                        before.map(|outcome| Seen { outcome, fingerprint: Some(then) });
                    let seen_now = now.map(|outcome| Seen { outcome, fingerprint: Some(&one) });
                    let expected = oracle(before, now, *then == one);
                    assert_eq!(expected.len(), 1, "{before:?} → {now:?} has {expected:?}");
                    assert_eq!(
                        change_of(seen_before, seen_now),
                        expected[0],
                        "{before:?} → {now:?}"
                    );
                    used.insert(expected[0]);
                }
            }
        }
        assert_eq!(used.len(), Change::ALL.len(), "a change that no pair leads to");
    }

    #[test]
    fn a_failure_whose_fingerprint_is_not_known_is_not_called_another_one() {
        let known = Fingerprint::new(1, "aaaaaaaaaaaa");
        let failing = |fingerprint| Some(Seen { outcome: Outcome::Failed, fingerprint });
        for (then, now) in [(None, None), (None, Some(&known)), (Some(&known), None)] {
            assert_eq!(change_of(failing(then), failing(now)), Change::StillFailing);
        }
    }
}
