//! News as people read them, capped and escaped for each place. Pure.
//!
//! The words of a [`Notice`] are as they came; each rendering makes them harmless for where it goes.
//! They were masked when the records were made.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::alarm::Quiet;
use super::news::{Headline, News, Obstacle};
use crate::domain::escape::{clip, flatten, is_hidden};
use crate::domain::event::Held;
use crate::domain::findings::{Cluster, Findings};
use crate::domain::history::Counts;
use crate::domain::outcome::Verdict;
use crate::domain::search::{SearchCause, SearchResult};
use crate::domain::state::CycleState;
use crate::report::{rollback, words};

/// GitHub takes no longer description of a status, and the others none that anybody could read.
pub(super) const MAX_DESCRIPTION: usize = 140;
/// What mail programs still show of a subject.
const MAX_SUBJECT: usize = 200;
/// Slack refuses a block with a longer text.
const MAX_BLOCK: usize = 3_000;
/// Failures that are named; the rest are counted.
const MAX_CLUSTERS: usize = 3;
/// The most of any one text from outside.
const MAX_WORDS: usize = 300;

/// News, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about, in one word of the contract.
    pub event: &'static str,
    /// One line that says it all.
    pub title: String,
    /// What else to know, a line each.
    pub facts: Vec<String>,
    /// The worst failures, a line each.
    pub failures: Vec<String>,
    /// The path of the report.
    pub report: Option<String>,
}

impl Notice {
    /// What a finished cycle changed.
    pub(super) fn of_cycle(state: &CycleState, news: &News) -> Self {
        let findings = state.findings.as_ref().map(|stamped| stamped.what.as_ref());
        let name = &state.queued.pipeline;
        let counts = findings.map(|findings| findings.counts).unwrap_or_default();
        let title = format!("{name}: {}", what_happened(news, &counts, findings));
        let mut facts = vec![about(state)];
        if let Some(findings) = findings {
            facts.push(format!("{}: {}", findings.verdict, findings.reason));
            facts.extend((counts.planned > 0).then(|| figures(&counts)));
        }
        facts.extend(rollback::in_plain_words(state));
        Self {
            event: news.headline.word(),
            title,
            facts,
            failures: findings.map(|findings| failures(&findings.clusters)).unwrap_or_default(),
            report: state.report.as_ref().map(|report| report.path.clone()),
        }
    }

    /// A cycle waits for a person.
    pub(super) fn held(state: &CycleState, held: &Held) -> Self {
        let (pipeline, cycle) = (&state.queued.pipeline, state.queued.cycle);
        let rollout = rollback::unknown_rollout(state);
        let hint = format!(
            "find out what became of {rollout}, then: andon resume {pipeline} {cycle} --as deployed|failed|rerun"
        );
        Self {
            event: Headline::Kept(Obstacle::Held).word(),
            title: format!("{pipeline}: cycle {cycle} is held and waits for a person"),
            facts: vec![about(state), held.reason.clone(), hint],
            failures: Vec::new(),
            report: None,
        }
    }

    /// A search for the commit that broke a cycle is over.
    pub(super) fn searched(state: &CycleState, search: &SearchResult) -> Self {
        let name = &state.queued.pipeline;
        let what = match (&search.culprit, search.cause) {
            (Some(culprit), _) => format!("{} broke cycle {}", culprit.short(), search.cycle),
            (None, SearchCause::Environment) => {
                format!("no commit broke cycle {}: it is the environment", search.cycle)
            }
            (None, SearchCause::Code) => {
                format!("the search for what broke cycle {} names no commit", search.cycle)
            }
        };
        let deploys = words::count(u64::from(search.deploys), "deploy", "deploys");
        let sure = match search.sureness() {
            Some(sure) => format!("{sure}, after {deploys}"),
            None => format!("after {deploys}"),
        };
        let findings = state.findings.as_ref().map(|stamped| stamped.what.as_ref());
        let commits = findings
            .into_iter()
            .flat_map(|found| &found.clusters)
            .filter_map(|c| c.commits.as_ref());
        let commit = commits
            .flat_map(|range| &range.commits)
            .find(|c| Some(&c.sha) == search.culprit.as_ref());
        let commit = commit.map(|commit| format!("{} ({})", commit.subject, commit.author));
        Self {
            event: "culprit",
            title: format!("{name}: {what}"),
            facts: commit.into_iter().chain([search.because.clone(), sure]).collect(),
            failures: Vec::new(),
            report: state.report.as_ref().map(|report| report.path.clone()),
        }
    }

    /// No cycle was over for too long.
    pub(super) fn silent(pipeline: &str, quiet: &Quiet, limit: SignedDuration) -> Self {
        let limit = words::duration(millis(limit));
        let since = words::instant(quiet.since);
        let last = match quiet.after_cycle {
            Some(cycle) => format!("the last one was cycle {cycle}, over at {since}"),
            None => format!("there was none since it is watched, {since}"),
        };
        Self {
            event: "silent",
            title: format!("{pipeline}: no cycle was over for {limit}"),
            facts: vec![last, "nothing says whether it works now".to_owned()],
            failures: Vec::new(),
            report: None,
        }
    }

    /// The disk has no room for new work.
    pub(super) fn no_room(why: &str) -> Self {
        Self {
            event: "no_room",
            title: format!("no cycle begins: {why}"),
            facts: vec![
                "cycles that run come to their end; what waits is stored and waits on".to_owned(),
                "free some space where the daemon runs: it goes on by itself".to_owned(),
            ],
            failures: Vec::new(),
            report: None,
        }
    }

    /// It has again.
    pub(super) fn room_again() -> Self {
        Self {
            event: "room_again",
            title: "cycles begin again: the disk of the state folder has room".to_owned(),
            facts: Vec::new(),
            failures: Vec::new(),
            report: None,
        }
    }

    /// A loop is over without what it runs for.
    pub(super) fn gave_up(pipeline: &str, cycle: u32, why: &str) -> Self {
        let anew = format!("a new commit, a schedule or `andon trigger {pipeline}` begins it anew");
        Self {
            event: "gave_up",
            title: format!("{pipeline}: the loop ends with cycle {cycle}, {why}"),
            facts: vec![anew],
            failures: Vec::new(),
            report: None,
        }
    }

    /// Reports stay where they were made.
    pub(super) fn unpublished(pipeline: &str, why: &str) -> Self {
        Self {
            event: "unpublished",
            title: format!("{pipeline}: reports are not pushed to their branch"),
            facts: vec![
                why.to_owned(),
                "they lie in the report folder, and are pushed once that is possible".to_owned(),
            ],
            failures: Vec::new(),
            report: None,
        }
    }

    /// Cycles went round.
    pub(super) fn went_round(pipeline: &str, told: &str) -> Self {
        Self {
            event: "went_round",
            title: format!("{pipeline}: commits of reports start no cycle any more"),
            facts: vec![
                told.to_owned(),
                "find out who rewrites reports, or pushes them without the trailer Andon-Report"
                    .to_owned(),
            ],
            failures: Vec::new(),
            report: None,
        }
    }

    /// A cycle is over at last.
    pub(super) fn heard_again(pipeline: &str, cycle: u32, after: SignedDuration) -> Self {
        let after = words::duration(millis(after));
        Self {
            event: "heard_again",
            title: format!("{pipeline}: cycle {cycle} is over, the first after {after}"),
            facts: Vec::new(),
            failures: Vec::new(),
            report: None,
        }
    }

    /// The request of a Slack-compatible incoming webhook: blocks for Slack, the same as one text for
    /// those that know no blocks.
    pub(super) fn slack(&self) -> Value {
        let mut sections = vec![format!("*{}*\n{}", mrkdwn(&self.title), self.slack_facts())];
        if !self.failures.is_empty() {
            let lines: Vec<String> =
                self.failures.iter().map(|line| format!("• {}", mrkdwn(line))).collect();
            sections.push(lines.join("\n"));
        }
        if let Some(report) = &self.report {
            sections.push(format!("report: {}", mrkdwn(report)));
        }
        let sections: Vec<String> =
            sections.into_iter().map(|text| cut_mrkdwn(text.trim_end(), MAX_BLOCK)).collect();
        let block = |text: &String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
        let blocks: Vec<Value> = sections.iter().map(block).collect();
        json!({ "text": one_text(&sections, self.report.is_some()), "blocks": blocks })
    }

    fn slack_facts(&self) -> String {
        self.facts.iter().map(|fact| mrkdwn(fact)).collect::<Vec<_>>().join("\n")
    }

    /// The subject of a mail: one line.
    pub(super) fn subject(&self) -> String {
        one_line(&self.title, MAX_SUBJECT)
    }

    /// The text of a mail.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![plain(&self.title), String::new()];
        lines.extend(self.facts.iter().map(|fact| plain(fact)));
        if !self.failures.is_empty() {
            lines.push(String::new());
            lines.extend(self.failures.iter().map(|line| format!("- {}", plain(line))));
        }
        if let Some(report) = &self.report {
            lines.extend([String::new(), format!("Report: {}", plain(report))]);
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// A message for Slack that ends in the page that tells the whole.
pub(super) fn with_page(payload: &Value, page: Option<&str>) -> Value {
    let mut payload = payload.clone();
    let Some(page) = page else { return payload };
    let link = format!("<{page}>");
    if let Some(Value::String(text)) = payload.get_mut("text") {
        text.push_str(&format!("\n{link}"));
    }
    if let Some(Value::Array(blocks)) = payload.get_mut("blocks") {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": link } }));
    }
    payload
}

/// The line on a commit's page.
pub(super) fn description(state: &CycleState, verdict: Verdict) -> String {
    let Some(findings) = state.findings.as_ref().map(|stamped| &stamped.what) else {
        return verdict.to_string();
    };
    let ran = match findings.counts.planned {
        0 => String::new(),
        planned => format!(", ran {} of {planned}", findings.counts.ran()),
    };
    format!("{verdict}{ran}: {}", findings.reason)
}

fn what_happened(news: &News, counts: &Counts, findings: Option<&Findings>) -> String {
    let cases = |n: usize| words::count(n as u64, "case", "cases");
    let ran = format!("ran {} of {}", counts.ran(), counts.planned);
    match news.headline {
        Headline::Regressed if news.anew.is_empty() => format!("red ({ran})"),
        Headline::Regressed => {
            let also = match news.fixed.len() {
                0 => String::new(),
                fixed => format!(", {fixed} fixed"),
            };
            format!("red, {} failing anew{also} ({ran})", cases(news.anew.len()))
        }
        Headline::PartlyFixed => {
            let failing = counts.failing();
            format!("{} fixed, {failing} still failing ({ran})", cases(news.fixed.len()))
        }
        Headline::Recovered => format!("green again ({ran})"),
        Headline::Cleared(obstacle) => {
            format!("{}, red as before ({ran})", over(obstacle))
        }
        Headline::Kept(Obstacle::DeployFailed) => "the deploy failed".to_owned(),
        Headline::Kept(Obstacle::NotReady) => "never became ready after the deploy".to_owned(),
        Headline::Kept(Obstacle::Void(_)) => {
            let reason = findings.and_then(|findings| findings.void_reason);
            let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
            format!("void{reason}, so its results count for nothing")
        }
        Headline::Kept(Obstacle::Incomplete) => format!("incomplete, {ran}"),
        Headline::Kept(Obstacle::Held) => "held".to_owned(),
    }
}

fn over(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::DeployFailed => "deploys again",
        Obstacle::NotReady => "becomes ready again",
        Obstacle::Void(_) | Obstacle::Incomplete => "results count again",
        Obstacle::Held => "no longer held",
    }
}

/// The cycle, its revision and why it started.
fn about(state: &CycleState) -> String {
    let queued = &state.queued;
    let mut line = format!("cycle {} on {}", queued.cycle, queued.environment);
    if let Some(resolved) = &state.resolved {
        let revision = &resolved.revision;
        line.push_str(&format!(
            ", {} \"{}\" by {}",
            revision.sha.short(),
            clip(&revision.subject, 80),
            clip(&revision.author, 60)
        ));
    }
    format!("{line}, {}: {}", queued.trigger.kind, queued.trigger.detail)
}

fn figures(counts: &Counts) -> String {
    let parts = [
        (counts.passed, "passed"),
        (counts.flaky, "flaky"),
        (counts.failed, "failed"),
        (counts.errored, "errored"),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
    ];
    let told: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("ran {} of {}: {}", counts.ran(), counts.planned, told.join(", "))
}

/// The worst failures; they come in that order.
fn failures(clusters: &[Cluster]) -> Vec<String> {
    let line = |cluster: &Cluster| {
        let cases = words::count(cluster.cases.len() as u64, "case", "cases");
        let first = cluster.cases.first().map(|case| format!(", such as {case}"));
        let document =
            cluster.investigation.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
        let title = clip(&cluster.title, MAX_WORDS);
        format!("{title}: {cases}{}{document}", first.unwrap_or_default())
    };
    let mut lines: Vec<String> = clusters.iter().take(MAX_CLUSTERS).map(line).collect();
    let more = clusters.len().saturating_sub(MAX_CLUSTERS);
    if more > 0 {
        lines.push(format!("and {}", words::count(more as u64, "other failure", "other failures")));
    }
    lines
}

fn millis(duration: SignedDuration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(0)
}

/// At most `max` characters in one line, without anything that does something.
pub(super) fn one_line(raw: &str, max: usize) -> String {
    cut(&flatten(raw), max)
}

fn plain(raw: &str) -> String {
    one_line(raw, 4 * MAX_WORDS)
}

/// Text that means nothing but itself in Slack's markup and in the Markdown of those who imitate it:
/// no link under other words, no mention of everybody, no code.
fn mrkdwn(raw: &str) -> String {
    /// Shows nothing, and keeps two characters from meaning something together.
    const JOINER: char = '\u{2060}';
    let flat = plain(raw);
    let mut out = String::with_capacity(flat.len() + 16);
    for c in flat.chars().filter(|c| !is_hidden(*c)) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' | '!' | ']' => out.extend([c, JOINER]),
            '`' => out.push('\u{2cb}'),
            '*' | '~' => out.extend([JOINER, c, JOINER]),
            c => out.push(c),
        }
    }
    out
}

/// The sections as one text. Where it is too long, the end stays when it leads to the whole.
fn one_text(sections: &[String], ends_in_report: bool) -> String {
    match sections.split_last() {
        Some((report, rest)) if ends_in_report => {
            let room = MAX_BLOCK.saturating_sub(report.chars().count() + 1);
            format!("{}\n{report}", cut_mrkdwn(&rest.join("\n"), room.max(1)))
        }
        Some(_) | None => cut_mrkdwn(&sections.join("\n"), MAX_BLOCK),
    }
}

/// At most `max` characters, the last one `…` when some were cut.
fn cut(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

/// The same for Slack's markup, of which no `&amp;` is left in half.
fn cut_mrkdwn(text: &str, max: usize) -> String {
    let mut kept = cut(text, max);
    if kept.len() == text.len() {
        return kept;
    }
    if let Some(at) = kept.rfind('&').filter(|at| !kept[*at..].contains(';')) {
        kept.truncate(at);
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(title: &str) -> Notice {
        Notice {
            event: "regressed",
            title: title.to_owned(),
            facts: vec![],
            failures: vec!["x".repeat(20_000)],
            report: Some("reports/chat/cycle-0007.md".to_owned()),
        }
    }

    #[test]
    fn slack_gets_no_markup_from_outside() {
        let payload = notice("<!channel> @here [a](http://x) `b` & *c*\nd").slack();
        let text = payload["blocks"][0]["text"]["text"].as_str().unwrap_or_default();
        assert!(text.contains("&lt;!\u{2060}channel&gt;"), "{text}");
        for bad in ["<", ">", "@here", "](", "`", " & ", "*c*"] {
            assert!(!text.contains(bad), "{bad} in {text}");
        }
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn every_place_gets_what_it_can_hold() {
        let long = notice(&"é&".repeat(9_000));
        assert_eq!(long.subject().chars().count(), MAX_SUBJECT);
        let payload = long.slack();
        let blocks = payload["blocks"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(blocks.len(), 3);
        let texts = blocks.iter().map(|block| &block["text"]["text"]).chain([&payload["text"]]);
        for text in texts {
            let text = text.as_str().unwrap_or_default();
            assert!(!text.is_empty() && text.chars().count() <= MAX_BLOCK);
        }
        let text = payload["text"].as_str().unwrap_or_default();
        assert!(text.ends_with("…\nreport: reports/chat/cycle-0007.md"), "{text}");
        assert!(long.text().ends_with("Report: reports/chat/cycle-0007.md\n"));
    }

    #[test]
    fn a_message_ends_in_the_page_that_tells_the_whole() {
        let plain = notice("red").slack();
        assert_eq!(with_page(&plain, None), plain);
        let linked = with_page(&plain, Some("https://andon.example.com/pipelines/chat"));
        let link = "<https://andon.example.com/pipelines/chat>";
        assert!(linked["text"].as_str().is_some_and(|text| text.ends_with(link)), "{linked}");
        let last = linked["blocks"].as_array().and_then(|blocks| blocks.last());
        assert_eq!(last.map(|block| &block["text"]["text"]), Some(&json!(link)));
    }

    #[test]
    fn a_cut_says_so_and_splits_no_entity() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut_mrkdwn("abc&amp;defg", 7), "abc…");
        assert_eq!(cut_mrkdwn("a&amp;bcdefgh", 9), "a&amp;bc…");
        assert_eq!(cut_mrkdwn("a&amp;b", 7), "a&amp;b");
    }

    #[test]
    fn a_subject_is_one_line() {
        assert!(!notice("a\r\nBcc: all@example.com").subject().contains(['\r', '\n']));
    }
}
