//! Two named cycles side by side: the same table, applied to what both have stored.

use std::collections::{HashMap, HashSet};

use crate::domain::change::{Seen, change_of};
use crate::domain::findings::CaseFinding;
use crate::domain::names::{CaseId, Fingerprint};
use crate::domain::outcome::{Change, Outcome};

/// What one cycle knew of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// The case.
    pub case: CaseId,
    /// The id under which its history was found, when that is an earlier one.
    pub known_as: Option<CaseId>,
    /// Its outcome.
    pub outcome: Outcome,
    /// The last known result that stands in for one that did not come.
    pub carried: Option<Outcome>,
    /// The fingerprint of its failure.
    pub fingerprint: Option<Fingerprint>,
}

impl CaseRow {
    /// The row of a finding; `None` for a removed case, of which that cycle knows nothing.
    pub fn of(finding: &CaseFinding) -> Option<Self> {
        Some(Self {
            case: finding.case.clone(),
            known_as: finding.known_as.clone(),
            outcome: finding.outcome?,
            carried: finding.carried.as_ref().map(|carried| carried.outcome),
            fingerprint: finding.fingerprint.clone(),
        })
    }

    /// The result that a later cycle is compared with: its own, or the one it carries.
    fn known(&self) -> Seen<'_> {
        Seen {
            outcome: self.carried.unwrap_or(self.outcome),
            fingerprint: self.fingerprint.as_ref(),
        }
    }
}

/// What became of one case from one cycle to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The case, under its id in the later cycle.
    pub case: CaseId,
    /// What became of it.
    pub change: Change,
    /// The known result of the earlier cycle, be it a carried one.
    pub before: Option<Outcome>,
    /// The outcome in the later cycle; `None` for a removed case.
    pub now: Option<Outcome>,
}

/// Compares cycle `b` with cycle `a`: the cases of `b` in their order, then those that only `a` has.
///
/// A case that `a` did not run is compared with the result that `a` carries. A case that was renamed
/// between the two is followed when `b` found its history under the earlier id.
pub fn between(a: &[CaseRow], b: &[CaseRow]) -> Vec<Difference> {
    let before: HashMap<&CaseId, &CaseRow> = a.iter().map(|row| (&row.case, row)).collect();
    let mut met: HashSet<&CaseId> = HashSet::with_capacity(a.len());
    let mut differences = Vec::with_capacity(b.len());
    for row in b {
        let then = before
            .get(&row.case)
            .or_else(|| row.known_as.as_ref().and_then(|earlier| before.get(earlier)));
        met.extend(then.map(|then| &then.case));
        differences.push(difference(then.copied(), row));
    }
    let gone = a.iter().filter(|row| !met.contains(&row.case));
    differences.extend(gone.map(|row| Difference {
        case: row.case.clone(),
        change: Change::Removed,
        before: known_outcome(row),
        now: None,
    }));
    differences
}

fn difference(then: Option<&CaseRow>, row: &CaseRow) -> Difference {
    let now = Seen { outcome: row.outcome, fingerprint: row.fingerprint.as_ref() };
    Difference {
        case: row.case.clone(),
        change: change_of(then.map(CaseRow::known), Some(now)),
        before: then.and_then(known_outcome),
        now: Some(row.outcome),
    }
}

fn known_outcome(row: &CaseRow) -> Option<Outcome> {
    Some(row.known().outcome).filter(|outcome| outcome.is_known())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(text: &str) -> CaseId {
        CaseId::parse(text).unwrap()
    }

    fn row(case: &str, outcome: Outcome) -> CaseRow {
        let fingerprint = outcome.is_failing().then(|| Fingerprint::new(1, "aaaaaaaaaaaa"));
        CaseRow { case: id(case), known_as: None, outcome, carried: None, fingerprint }
    }

    fn changes(a: &[CaseRow], b: &[CaseRow]) -> Vec<(String, Change)> {
        between(a, b).into_iter().map(|d| (d.case.to_string(), d.change)).collect()
    }

    #[test]
    fn two_cycles_are_compared_by_the_same_table() {
        let a = [
            row("gone", Outcome::Passed),
            row("regressed", Outcome::Passed),
            row("fixed", Outcome::Failed),
            row("same", Outcome::Failed),
            row("other", Outcome::Failed),
        ];
        let mut other = row("other", Outcome::Failed);
        other.fingerprint = Some(Fingerprint::new(1, "bbbbbbbbbbbb"));
        let b = [
            row("regressed", Outcome::Errored),
            row("fixed", Outcome::Flaky),
            row("same", Outcome::Failed),
            other,
            row("new", Outcome::Passed),
        ];
        let expected = [
            ("regressed", Change::Regressed),
            ("fixed", Change::Fixed),
            ("same", Change::StillFailing),
            ("other", Change::ChangedFailure),
            ("new", Change::NewPassing),
            ("gone", Change::Removed),
        ];
        assert_eq!(changes(&a, &b), expected.map(|(case, change)| (case.to_owned(), change)));
    }

    #[test]
    fn what_the_earlier_cycle_carries_counts() {
        let mut carried = row("case", Outcome::NotRun);
        carried.carried = Some(Outcome::Passed);
        let found = between(std::slice::from_ref(&carried), &[row("case", Outcome::Failed)]);
        assert_eq!(found[0].change, Change::Regressed);
        assert_eq!(found[0].before, Some(Outcome::Passed));
        carried.carried = None;
        let found = between(&[carried], &[row("case", Outcome::Failed)]);
        assert_eq!((found[0].change, found[0].before), (Change::NewFailing, None));
    }

    #[test]
    fn a_renamed_case_is_followed() {
        let mut renamed = row("new_name", Outcome::Passed);
        renamed.known_as = Some(id("old_name"));
        let found = changes(&[row("old_name", Outcome::Failed)], &[renamed]);
        assert_eq!(found, [("new_name".to_owned(), Change::Fixed)]);
    }
}
