//! The last cycles of a pipeline as a row of bars. Pure.

use serde::Serialize;

use crate::domain::outcome::Verdict;
use crate::report::words;
use crate::store::TrendRow;

/// So many cycles.
pub(super) const CYCLES: u32 = 30;

const HEIGHT: u32 = 22;
const STEP: u32 = 9;

/// The bars, and what they say in words.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Trend {
    width: u32,
    says: String,
    bars: Vec<Bars>,
}

/// All bars of one look, as one path.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Bars {
    look: &'static str,
    path: String,
}

/// How a cycle looks: a word that every page uses for it.
pub(super) fn look(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("none", Verdict::as_str)
}

/// The newest of these cycles that says something of their pipeline: one of some cases (a question of a search is one)
/// does not.
pub(super) fn answer_of(newest_first: &[TrendRow]) -> Option<&TrendRow> {
    newest_first.iter().find(|row| match row.verdict {
        Some(Verdict::Superseded | Verdict::Cancelled) | None => false,
        Some(_) => !row.is_part,
    })
}

/// A cycle that was cancelled after the one that answers: what it left on the environment may be another revision.
pub(super) fn cancelled_since(newest_first: &[TrendRow]) -> Option<u32> {
    let answer = answer_of(newest_first).map_or(0, |row| row.cycle);
    let is_cancelled = |row: &&TrendRow| row.verdict == Some(Verdict::Cancelled);
    newest_first.iter().take_while(|row| row.cycle > answer).find(is_cancelled).map(|row| row.cycle)
}

/// The newest of these cycles whose suite says something of the branch.
pub(super) fn tested_of(newest_first: &[TrendRow]) -> Option<&TrendRow> {
    let is_tested =
        |row: &&TrendRow| !row.is_part && row.verdict.is_some_and(Verdict::has_valid_suite);
    newest_first.iter().find(is_tested)
}

/// The newest of these cycles as bars, the oldest of them first. What a search asks an older commit is none.
pub(super) fn trend(newest_first: &[TrendRow]) -> Trend {
    let mut cycles: Vec<&TrendRow> =
        newest_first.iter().filter(|row| !row.is_question).take(CYCLES as usize).collect();
    cycles.reverse();
    let mut bars: Vec<Bars> = ["green", "red", "odd", "none"]
        .into_iter()
        .map(|look| Bars { look, path: String::new() })
        .collect();
    for (at, cycle) in (0_u32..).zip(&cycles) {
        let x = at * STEP + STEP / 2;
        let good = u64::from(cycle.good) * u64::from(HEIGHT - 4);
        let share = good.checked_div(u64::from(cycle.planned)).unwrap_or(0);
        let share = u32::try_from(share).unwrap_or(0);
        let (place, height) = match cycle.verdict {
            Some(Verdict::Green) => (0, HEIGHT),
            // A failing case is seen, however many pass.
            Some(Verdict::Red) => (1, 4 + share.min(HEIGHT - 8)),
            Some(Verdict::DeployFailed | Verdict::NotReady) => (1, 4),
            Some(Verdict::Incomplete) => (2, 4 + share.min(HEIGHT - 8)),
            Some(Verdict::Void) => (2, 8),
            Some(Verdict::Superseded | Verdict::Cancelled) | None => (3, 3),
        };
        bars[place].path.push_str(&format!("M{x} 24v-{height}"));
    }
    bars.retain(|bars| !bars.path.is_empty());
    let width = STEP * CYCLES.max(u32::try_from(cycles.len()).unwrap_or(CYCLES));
    Trend { width, says: says(&cycles), bars }
}

fn says(cycles: &[&TrendRow]) -> String {
    let (Some(first), Some(last)) = (cycles.first(), cycles.last()) else {
        return "No cycles yet".to_owned();
    };
    let of = |wanted: Verdict| cycles.iter().filter(|it| it.verdict == Some(wanted)).count();
    let parts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| (of(*verdict), verdict.as_str().replace('_', " ")))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!(
        "{}, {} to {}: {}",
        words::count(cycles.len() as u64, "cycle", "cycles"),
        first.cycle,
        last.cycle,
        if parts.is_empty() { "none is over".to_owned() } else { parts.join(", ") }
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::names::PipelineName;

    fn row(cycle: u32, verdict: Option<Verdict>) -> TrendRow {
        let pipeline = PipelineName::parse("shop").unwrap();
        TrendRow {
            pipeline,
            cycle,
            verdict,
            planned: 2,
            good: 1,
            is_part: false,
            is_question: false,
        }
    }

    #[test]
    fn what_answers_and_what_was_tested_need_not_be_one_cycle() {
        use Verdict::{Cancelled, DeployFailed, Green, NotReady, Red};
        let found = |verdicts: &[Option<Verdict>]| {
            let mut rows: Vec<TrendRow> =
                (1..).zip(verdicts.iter().rev()).map(|(cycle, it)| row(cycle, *it)).collect();
            rows.reverse();
            (answer_of(&rows).map(|it| it.cycle), tested_of(&rows).map(|it| it.cycle))
        };
        assert_eq!(found(&[None, Some(Red), Some(Green)]), (Some(2), Some(2)));
        assert_eq!(found(&[Some(DeployFailed), Some(Green)]), (Some(2), Some(1)));
        assert_eq!(found(&[Some(Cancelled), Some(NotReady)]), (Some(1), None));
        assert_eq!(found(&[]), (None, None));
        let cancelled = |verdicts: &[Option<Verdict>]| {
            let mut rows: Vec<TrendRow> =
                (1..).zip(verdicts.iter().rev()).map(|(cycle, it)| row(cycle, *it)).collect();
            rows.reverse();
            cancelled_since(&rows)
        };
        assert_eq!(cancelled(&[None, Some(Cancelled), Some(Green)]), Some(2));
        assert_eq!(cancelled(&[Some(Green), Some(Cancelled)]), None);
        // Some cases say nothing of the others, whoever asked.
        let part = |cycle| TrendRow { is_part: true, ..row(cycle, Some(Green)) };
        let rows = [part(4), row(3, Some(DeployFailed)), part(2), row(1, Some(Red))];
        assert_eq!(answer_of(&rows).map(|it| it.cycle), Some(3));
        assert_eq!(tested_of(&rows).map(|it| it.cycle), Some(1));
    }
}
