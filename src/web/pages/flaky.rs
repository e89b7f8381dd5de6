//! The cases of a pipeline that are at odds with themselves, by the records that comparisons are made with.

use serde::Serialize;

use super::case::in_address;
use crate::diff::{Flakiness, flakiness};
use crate::domain::history::CaseHead;
use crate::store::{CycleRow, Store};
use crate::web::problem::Problem;

/// So many are listed, the worst first.
const LISTED: usize = 50;

/// Those that are planned now.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Flaky {
    cases: Vec<Case>,
    /// So many more are.
    more: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Case {
    case: String,
    path: String,
    /// Runs at odds with others of their revision, and how many were looked at.
    flaky: u32,
    of: u32,
    last_in: u32,
    /// What became of it last.
    outcome: &'static str,
}

/// Of the environment of the newest of these cycles.
///
/// # Errors
/// When the store refuses.
pub(super) async fn flaky(store: &dyn Store, newest_first: &[CycleRow]) -> Result<Flaky, Problem> {
    let Some(newest) = newest_first.first() else { return Ok(Flaky::default()) };
    let whole = newest_first.iter().find(|row| {
        let is_valid = row.summary.verdict.is_some_and(|it| it.has_valid_suite());
        row.environment == newest.environment && row.summary.only.is_none() && is_valid
    });
    let heads = store.case_heads(&newest.pipeline, &newest.environment).await?;
    let since = whole.map_or(0, |row| row.summary.cycle);
    // There may be tens of thousands.
    let listing = tokio::task::spawn_blocking(move || listed(&heads, since));
    listing.await.map_err(|_| Problem::unavailable("the flaky cases cannot be listed"))
}

/// The worst first; what has not been planned since this cycle was removed.
fn listed(heads: &[CaseHead], since: u32) -> Flaky {
    let present = heads.iter().filter(|head| head.planned_in >= since);
    let mut found: Vec<(Flakiness, &CaseHead)> =
        present.filter_map(|head| Some((flakiness(&head.recent)?, head))).collect();
    found.sort_by(|(a, of_a), (b, of_b)| {
        // As shares, without rounding: 3 of 10 before 4 of 50.
        let (a_share, b_share) = (a.rate.flaky * b.rate.of, b.rate.flaky * a.rate.of);
        b_share.cmp(&a_share).then(b.last_in.cmp(&a.last_in)).then(of_a.case.cmp(&of_b.case))
    });
    let more = found.len().saturating_sub(LISTED);
    let cases = found.into_iter().take(LISTED).map(|(it, head)| Case {
        case: head.case.to_string(),
        path: in_address(head.case.as_str()),
        flaky: it.rate.flaky,
        of: it.rate.of,
        last_in: it.last_in,
        outcome: head.last_outcome.as_str(),
    });
    Flaky { cases: cases.collect(), more }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::history::RecentRun;
    use crate::domain::names::CaseId;
    use crate::domain::outcome::Outcome;

    fn head(case: &str, planned_in: u32, outcomes: &[Outcome]) -> CaseHead {
        let run = |(cycle, outcome): (u32, &Outcome)| RecentRun {
            cycle,
            revision_key: 7,
            duration_ms: 1,
            outcome: *outcome,
        };
        CaseHead {
            planned_in,
            last_outcome: *outcomes.last().unwrap(),
            recent: (1..).zip(outcomes).map(run).collect(),
            ..CaseHead::never_seen(CaseId::parse(case).unwrap())
        }
    }

    #[test]
    fn the_worst_comes_first_and_what_is_removed_or_steady_does_not_come() {
        use Outcome::{Failed, Flaky as Odd, Passed};
        let heads = [
            head("steady", 4, &[Passed, Passed]),
            head("once", 4, &[Odd, Passed, Passed, Passed]),
            head("twice", 4, &[Passed, Odd, Passed, Failed]),
            head("removed", 3, &[Odd, Odd]),
            head("again", 4, &[Passed, Passed, Odd, Passed]),
        ];
        let found = listed(&heads, 4);
        let told: Vec<_> =
            found.cases.iter().map(|it| (it.case.as_str(), it.flaky, it.of, it.last_in)).collect();
        assert_eq!(told, [("twice", 2, 4, 4), ("again", 1, 4, 3), ("once", 1, 4, 1)]);
        assert_eq!(found.cases[0].outcome, "failed");
        assert_eq!(listed(&heads, 0).cases[0].case, "removed");
        let many: Vec<_> = (0..60).map(|n| head(&format!("c{n}"), 1, &[Odd])).collect();
        assert_eq!((listed(&many, 1).cases.len(), listed(&many, 1).more), (LISTED, 10));
    }
}
