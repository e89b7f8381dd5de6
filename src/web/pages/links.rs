//! The parts of an investigation that Andon writes, with links: the cycles that it names lead to their
//! pages, and of the commits between it is said what became of them. Pure.

use std::collections::BTreeMap;

use crate::investigation::is_occurrence;
use crate::store::{CommitFate, CommitRow};

/// What the links lead to.
pub(super) struct Links<'a> {
    /// The page of the pipeline.
    pub(super) pipeline: &'a str,
    /// The commits of its list, by the beginnings of their names.
    commits: BTreeMap<&'a str, &'a CommitRow>,
}

/// The rows of “What was seen” in which Andon names cycles of its own.
const ROWS: [&str; 4] = ["| First bad | ", "| Last good | ", "| Seen | ", "| Cause | "];

impl<'a> Links<'a> {
    /// To the pages of a pipeline, and to the commits that its page lists.
    pub(super) fn of(pipeline: &'a str, commits: &'a [CommitRow]) -> Self {
        let commits = commits.iter().map(|row| (row.sha.short(), row)).collect();
        Self { pipeline, commits }
    }

    /// A document with these links, for a page.
    pub(super) fn put_into(&self, text: &str) -> String {
        let (mut part, mut fence) = (String::new(), false);
        let mut first_bad = None;
        let mut out = String::with_capacity(text.len() + 1_024);
        for line in text.split_inclusive('\n') {
            let says = line.trim_end();
            if let Some(slot) = says.strip_prefix("<!-- andon:begin ") {
                part = slot.split(' ').next().unwrap_or_default().to_owned();
                fence = false;
            } else if says.starts_with("<!-- andon:end ") {
                part.clear();
            }
            fence ^= says.starts_with("```");
            let linked = match part.as_str() {
                _ if fence => None,
                "status" if says.starts_with("State: **") => Some(self.cycles_in(says)),
                "seen" if ROWS.iter().any(|row| says.starts_with(row)) => {
                    if says.starts_with(ROWS[0]) {
                        first_bad = last_cycle(says);
                    }
                    Some(self.cycles_in(says))
                }
                "occurrences" if is_occurrence(says) => self.occurrence(says),
                "commits" => self.commit(says, first_bad),
                "why-1" if says.starts_with("### Why 1. Observed in cycle ") => {
                    Some(self.cycles_in(says))
                }
                _ => None,
            };
            match linked {
                Some(linked) => {
                    out.push_str(&linked);
                    out.push_str(&line[says.len()..]);
                }
                None => out.push_str(line),
            }
        }
        out
    }

    /// `cycle 7`, wherever it stands in a line of Andon's.
    fn cycles_in(&self, line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("cycle ") {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            out.push_str(before);
            if let Ok(cycle) = after[..digits].parse::<u32>() {
                out.push_str(&self.cycle(cycle));
                rest = &after[digits..];
            } else {
                out.push_str("cycle ");
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }

    fn cycle(&self, cycle: u32) -> String {
        format!("[cycle {cycle}]({}/cycles/{cycle})", self.pipeline)
    }

    /// `| 2 | …`
    fn occurrence(&self, row: &str) -> Option<String> {
        let (cycle, rest) = row.strip_prefix("| ")?.split_once(" | ")?;
        let cycle: u32 = cycle.parse().ok()?;
        Some(format!("| [{cycle}]({}/cycles/{cycle}) | {rest}", self.pipeline))
    }

    /// A commit between: to its row in the list, with what became of it. One that nobody saw arrive, as
    /// where a person runs the cycles, came with the first bad one.
    fn commit(&self, line: &str, first_bad: Option<u32>) -> Option<String> {
        let (short, rest) = line.strip_prefix("- `")?.split_once("` ")?;
        if short.len() != 7 || !short.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let Some(row) = self.commits.get(short) else {
            let with = first_bad.map(|cycle| format!(" — came with {}", self.cycle(cycle)));
            return Some(format!("- `{short}` {rest}{}", with.unwrap_or_default()));
        };
        let fate = match &row.fate {
            CommitFate::Waiting => "waiting".to_owned(),
            CommitFate::Tested { cycle, .. } => format!("tested in {}", self.cycle(*cycle)),
            CommitFate::TakenTogether { cycle, .. } => {
                format!("taken together in {}", self.cycle(*cycle))
            }
            CommitFate::Skipped { .. } => "skipped".to_owned(),
            CommitFate::Dropped { .. } => "dropped".to_owned(),
        };
        Some(format!("- [`{short}`]({}#commit-{short}) {rest} — {fate}", self.pipeline))
    }
}

/// The last cycle that a line names.
fn last_cycle(line: &str) -> Option<u32> {
    let (_, after) = line.rsplit_once("cycle ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;
    use crate::domain::revision::Sha;

    #[test]
    fn cycles_and_commits_of_andons_parts_lead_to_their_pages() {
        let row = CommitRow {
            sha: Sha::parse("56fa266741a9b53cb3a4e34f7eb0a76fc67a65b6").unwrap(),
            branch: String::new(),
            subject: "auth".to_owned(),
            author: "Lin".to_owned(),
            seen_at: Timestamp::UNIX_EPOCH,
            fate: CommitFate::Tested { cycle: 4, verdict: None, held: false },
        };
        let text = "cycle 1\n\
            <!-- andon:begin status lines=- -->\nState: **new**, opened in cycle 2, gone from cycle 5 on.\n<!-- andon:end status -->\n\
            <!-- andon:begin seen lines=- -->\n| Symptom | cycle 9 broke |\n\
            | First bad | cycle 2, `1111111`; in this way since cycle 4, `56fa266` |\r\n```sh\n| Seen | cycle 8\n```\n<!-- andon:end seen -->\n\
            <!-- andon:begin commits lines=- -->\n- `56fa266` auth (Lin, now): `a`\n- `6b6e2f6` Bump (Bot, now): `b`\n- `--help` x\n<!-- andon:end commits -->\n\
            <!-- andon:begin occurrences lines=- -->\n| Cycle | Revision |\n| 4 | `56fa266` | 2026-11-27 17:27:23 UTC | 6 | red |\n<!-- andon:end occurrences -->\n\
            <!-- andon:begin why-1 lines=- -->\n### Why 1. Observed in cycle 4\n<!-- andon:end why-1 -->\ncycle 6";
        let cycle = |cycle: u32| format!("[cycle {cycle}](/p/cycles/{cycle})");
        let expected = text
            .replace(
                "opened in cycle 2, gone from cycle 5",
                &format!("opened in {}, gone from {}", cycle(2), cycle(5)),
            )
            .replace("bad | cycle 2", &format!("bad | {}", cycle(2)))
            .replace("since cycle 4", &format!("since {}", cycle(4)))
            .replace(
                "- `56fa266` auth (Lin, now): `a`",
                &format!(
                    "- [`56fa266`](/p#commit-56fa266) auth (Lin, now): `a` — tested in {}",
                    cycle(4)
                ),
            )
            .replace("now): `b`", &format!("now): `b` — came with {}", cycle(4)))
            .replace("| 4 | ", "| [4](/p/cycles/4) | ")
            .replace("Observed in cycle 4", &format!("Observed in {}", cycle(4)));
        assert_eq!(Links::of("/p", &[row]).put_into(text), expected);
    }

    #[test]
    fn a_number_that_is_none_is_no_link() {
        let links = Links::of("/p", &[]);
        for line in ["cycle", "cycle ", "cycle x", "cycle 99999999999 cycle"] {
            assert_eq!(links.cycles_in(line), line);
        }
    }
}
