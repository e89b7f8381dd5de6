//! The parts of a document that the tool writes, with links: the cycles that it names lead to their pages,
//! and of the commits between it is said what became of them. For pages alone: what is kept, edited and
//! handed on is the document without them.

use std::collections::BTreeSet;

use super::anchor::{self, Piece};
use super::document::Slot;
use super::facts;

/// Where a commit leads, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitLink {
    /// The address of what is known of it, where that has one.
    pub href: Option<String>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// No cycle has it.
    Says(&'static str),
    /// This cycle has it, and these words lead there.
    In(&'static str, u32),
}

/// A document with links: to the address of a cycle, and of the commits of which something is known, by the
/// short name that the document has. One of which nothing is known, as where a person runs the cycles,
/// came with the first bad cycle.
pub fn linked(
    text: &str,
    cycle: impl Fn(u32) -> String,
    commit: impl Fn(&str) -> Option<CommitLink>,
) -> String {
    let links = Links { cycle, commit };
    let mut first_bad = None;
    let mut out = String::with_capacity(text.len() + 1_024);
    for (slot, line) in lines(text) {
        let says = line.trim_end();
        let linked = match slot {
            Some(Slot::Status) if says.starts_with(facts::STATE) => Some(links.cycles_in(says)),
            Some(Slot::Seen) => match facts::label_of(says) {
                Some(label) if facts::NAME_CYCLES.contains(&label) => {
                    if label == facts::FIRST_BAD {
                        first_bad = last_cycle(says);
                    }
                    Some(links.cycles_in(says))
                }
                Some(_) | None => None,
            },
            Some(Slot::Occurrences) => links.occurrence(says),
            Some(Slot::Commits) => links.commit(says, first_bad),
            Some(Slot::Why(1)) if says.starts_with(facts::OBSERVED) => Some(links.cycles_in(says)),
            Some(_) | None => None,
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

/// The short names of the commits that a document tells of, each once.
pub fn commits_told(text: &str) -> BTreeSet<&str> {
    let commits = lines(text).filter(|(slot, _)| *slot == Some(Slot::Commits));
    commits.filter_map(|(_, line)| Some(facts::commit_in(line.trim_end())?.0)).collect()
}

/// The lines of a text, ends and all, each with the part of the tool that it stands in, if any: what is
/// fenced is nobody's words.
fn lines(text: &str) -> impl Iterator<Item = (Option<Slot>, &str)> {
    let (mut slot, mut is_fenced) = (None, false);
    text.split_inclusive('\n').map(move |line| {
        let mut is_text = true;
        for piece in anchor::pieces(line.trim_end()) {
            match piece {
                Piece::Begin(begun, _) => {
                    (slot, is_fenced, is_text) = (Some(begun), false, false);
                }
                Piece::End(_) => (slot, is_text) = (None, false),
                Piece::Meta(_) => is_text = false,
                Piece::Text(_) => {}
            }
        }
        is_fenced ^= line.starts_with("```");
        (slot.filter(|_| is_text && !is_fenced), line)
    })
}

struct Links<Cycle, Commit> {
    cycle: Cycle,
    commit: Commit,
}

impl<Cycle: Fn(u32) -> String, Commit: Fn(&str) -> Option<CommitLink>> Links<Cycle, Commit> {
    /// `cycle 7`, wherever it stands in a line of the tool.
    fn cycles_in(&self, line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(facts::CYCLE) {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            out.push_str(before);
            if let Ok(cycle) = after[..digits].parse::<u32>() {
                out.push_str(&self.cycle(cycle));
                rest = &after[digits..];
            } else {
                out.push_str(facts::CYCLE);
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }

    fn cycle(&self, cycle: u32) -> String {
        format!("[{}{cycle}]({})", facts::CYCLE, (self.cycle)(cycle))
    }

    fn occurrence(&self, row: &str) -> Option<String> {
        let cycle = facts::occurrence_cycle(row)?;
        let (_, rest) = row.strip_prefix("| ")?.split_once(" | ")?;
        Some(format!("| [{cycle}]({}) | {rest}", (self.cycle)(cycle)))
    }

    fn commit(&self, line: &str, first_bad: Option<u32>) -> Option<String> {
        let (short, rest) = facts::commit_in(line)?;
        let known = (self.commit)(short);
        let name = match known.as_ref().and_then(|known| known.href.as_deref()) {
            Some(href) => format!("[`{short}`]({href})"),
            None => format!("`{short}`"),
        };
        let fate = match known.map(|known| known.fate) {
            Some(Fate::Says(words)) => Some(words.to_owned()),
            Some(Fate::In(words, cycle)) => Some(format!("{words} {}", self.cycle(cycle))),
            None => first_bad.map(|cycle| format!("came with {}", self.cycle(cycle))),
        };
        let fate = fate.map_or_else(String::new, |fate| format!(" — {fate}"));
        Some(format!("- {name} {rest}{fate}"))
    }
}

/// The last cycle that a line names.
fn last_cycle(line: &str) -> Option<u32> {
    let (_, after) = line.rsplit_once(facts::CYCLE)?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a document of the tool looks like with links stands in `tests/report/linked.rs`.
    fn of(text: &str) -> String {
        let known = |short: &str| {
            let fate = Fate::In("tested in", 4);
            (short == "56fa266").then(|| CommitLink { href: Some("/p#c".to_owned()), fate })
        };
        linked(text, |cycle| format!("/p/{cycle}"), known)
    }

    #[test]
    fn only_lines_of_the_tool_have_links() {
        let plain = "cycle 1\n\
            <!-- andon:begin seen lines=- -->\n| Symptom | cycle 9 broke |\ncycle 3\n\
            ```sh\n| Seen | cycle 8\n```\n<!-- andon:end seen -->\n| Seen | cycle 8\n\
            <!-- andon:begin commits lines=- -->\n- `--help` x\n- `56fa266`\n<!-- andon:end commits -->\n\
            <!-- andon:begin occurrences lines=- -->\n| 4 | mine |\n<!-- andon:end occurrences -->\n\
            <!-- andon:begin why-1 TOUCHED lines=- -->\n### Why 1. Observed in cycle 4\ncycle 6";
        assert_eq!(of(plain), plain);
        let numbers =
            "<!-- andon:begin status lines=- -->\nState: **cycle cycle x cycle 99999999999 cycle";
        assert_eq!(of(numbers), numbers);
    }

    #[test]
    fn lines_end_as_they_did_and_the_last_first_bad_cycle_counts() {
        let text = "<!-- andon:begin seen lines=- -->\r\n| First bad | cycle 2, `1111111`; in this way since cycle 3, `x` |\r\n\
            <!-- andon:end seen -->\r\n<!-- andon:begin commits lines=- -->\r\n- `56fa266` a\r\n- `6b6e2f6` b";
        let expected = text
            .replace("cycle 2", "[cycle 2](/p/2)")
            .replace("cycle 3", "[cycle 3](/p/3)")
            .replace("`56fa266` a", "[`56fa266`](/p#c) a — tested in [cycle 4](/p/4)")
            .replace("`6b6e2f6` b", "`6b6e2f6` b — came with [cycle 3](/p/3)");
        assert_eq!(of(text), expected);
    }
}
