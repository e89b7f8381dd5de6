//! Cases by cycles, for the index of a pipeline: which case failed when, at a glance.
//!
//! One letter a result, in a block of fixed width: it reads the same in a git host, a terminal and a mail,
//! and to a screen reader each row is a sentence of letters that the line below explains.

use crate::domain::escape::{self, Keep};
use crate::domain::history::{CaseHead, RecentRun};
use crate::domain::outcome::Outcome;

/// So many cycles, the newest ones.
const MAX_CYCLES: usize = 20;
/// So many cases, the worst ones; those that always passed are counted.
const MAX_CASES: usize = 40;
/// A longer id is cut in the middle.
const MAX_ID: usize = 48;

/// The section, empty where nothing was ever at odds: `cycles` are those that have a valid suite, in any
/// order, `heads` what is known of each case.
pub fn matrix(heads: &[CaseHead], cycles: &[u32]) -> String {
    let mut cycles = cycles.to_vec();
    cycles.sort_unstable();
    let cycles = &cycles[cycles.len().saturating_sub(MAX_CYCLES)..];
    let mut rows: Vec<Row<'_>> = heads.iter().map(|head| Row::of(head, cycles)).collect();
    let all = rows.len();
    rows.retain(|row| row.is_telling);
    if rows.is_empty() || cycles.len() < 2 {
        return String::new();
    }
    rows.sort_by_key(|row| row.rank.clone());
    let telling = rows.len();
    rows.truncate(MAX_CASES);
    let width = rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0);
    let (first, last) = (cycles[0], cycles[cycles.len() - 1]);
    let mut lines = vec![format!("{:width$}  {} cycles, {first} to {last}", "", cycles.len())];
    lines.extend(rows.iter().map(|row| format!("{:width$}  {}", row.id, row.letters)));
    let block = escape::fenced(&lines.join("\n"), "text", Keep::First, lines.len());
    let mut left_out = Vec::new();
    if telling > rows.len() {
        left_out.push(format!("{} more failed at some time", telling - rows.len()));
    }
    if all > telling {
        left_out.push(format!("{} passed whenever they ran", all - telling));
    }
    let left_out =
        if left_out.is_empty() { String::new() } else { format!(" {}.", left_out.join("; ")) };
    format!(
        "\n## Cases\n\n{block}\n\n`.` passed · `~` flaky · `F` failed · `E` could not be measured · blank: no result; a cycle without a valid suite has no column.{left_out}\n"
    )
}

/// Failing now first, then what failed most, then by id.
type Rank = (bool, std::cmp::Reverse<usize>, String);

struct Row<'a> {
    id: std::borrow::Cow<'a, str>,
    letters: String,
    is_telling: bool,
    rank: Rank,
}

impl<'a> Row<'a> {
    fn of(head: &'a CaseHead, cycles: &[u32]) -> Self {
        let result =
            |cycle: &u32| head.recent.iter().rev().find(|run| run.cycle == *cycle).map(letter);
        let letters: Vec<Option<char>> = cycles.iter().map(result).collect();
        let bad = letters.iter().flatten().filter(|letter| **letter != '.').count();
        let text: String = letters.iter().map(|letter| letter.unwrap_or(' ')).collect();
        let is_failing = head.known.as_ref().is_some_and(|known| known.outcome.is_failing());
        Self {
            id: escape::clip(head.case.as_str(), MAX_ID),
            letters: text.trim_end().to_owned(),
            is_telling: bad > 0,
            rank: (!is_failing, std::cmp::Reverse(bad), head.case.as_str().to_owned()),
        }
    }
}

fn letter(run: &RecentRun) -> char {
    match run.outcome {
        Outcome::Passed => '.',
        Outcome::Flaky => '~',
        Outcome::Failed => 'F',
        Outcome::Errored => 'E',
        Outcome::Skipped | Outcome::NotRun => ' ',
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::history::{CycleRef, KnownResult};
    use crate::domain::names::CaseId;
    use crate::domain::revision::Sha;

    /// A case with a letter for each cycle from 1 on.
    fn head(id: &str, letters: &str) -> CaseHead {
        let outcome = |letter| match letter {
            '.' => Some(Outcome::Passed),
            '~' => Some(Outcome::Flaky),
            'F' => Some(Outcome::Failed),
            'E' => Some(Outcome::Errored),
            _ => None,
        };
        let runs: Vec<RecentRun> = (1..)
            .zip(letters.chars())
            .filter_map(|(cycle, letter)| {
                let outcome = outcome(letter)?;
                Some(RecentRun { cycle, revision_key: cycle, duration_ms: 1, outcome })
            })
            .collect();
        let last = runs.last().unwrap();
        let revision = Sha::parse(&"0a".repeat(20)).unwrap();
        CaseHead {
            case: CaseId::parse(id).unwrap(),
            planned_in: last.cycle,
            last_outcome: last.outcome,
            known: Some(KnownResult {
                at: CycleRef { cycle: last.cycle, revision },
                outcome: last.outcome,
                fingerprint: None,
                said: None,
                definition: "".into(),
                config: "".into(),
            }),
            last_good: None,
            first_failing: None,
            failing_for: 0,
            failure_changed: None,
            flaked_as: None,
            causes: vec![],
            recent: runs,
        }
    }

    #[test]
    fn the_worst_case_stands_first_and_what_always_passed_is_counted() {
        let heads =
            [head("steady", "...."), head("old", "FF.."), head("now", "...F"), head("odd", ".~ E")];
        let page = matrix(&heads, &[4, 2, 1, 3]);
        let rows: Vec<&str> = page.lines().skip_while(|line| !line.contains("cycles, 1")).collect();
        assert_eq!(rows[0].trim(), "4 cycles, 1 to 4");
        assert_eq!(rows[1..4], ["odd  .~ E", "now  ...F", "old  FF.."]);
        assert!(page.contains("1 passed whenever they ran."), "{page}");
    }

    #[test]
    fn nothing_is_shown_where_nothing_was_ever_wrong_or_nothing_can_be_compared() {
        assert_eq!(matrix(&[head("a", "..")], &[1, 2]), "");
        assert_eq!(matrix(&[head("a", "F")], &[1]), "");
        assert_eq!(matrix(&[], &[]), "");
    }

    #[test]
    fn ids_cannot_break_out_and_long_lists_are_cut() {
        let mut heads: Vec<CaseHead> =
            (0..50).map(|number| head(&format!("case_{number:02}"), ".F")).collect();
        heads.push(head("```<b>x", "FF"));
        let page = matrix(&heads, &[1, 2]);
        assert!(page.contains("````text\n"), "the fence is longer than any in it: {page}");
        assert!(page.contains("11 more failed at some time"), "{page}");
        assert_eq!(matrix(&heads, &(1..=90).collect::<Vec<_>>()), "", "long ago is not shown");
    }
}
