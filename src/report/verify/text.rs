//! The same figures in the Markdown: whoever reads only that must read nothing else.

use super::Found;
use crate::domain::outcome::Verdict;
use crate::report::json::{CycleJson, SuiteJson};

/// The first lines of the Markdown: title, verdict, revision and `ran n of m`.
pub(super) fn check(found: &mut Found, json: &CycleJson<'_>, markdown: &str) {
    let title = markdown.lines().find(|line| line.starts_with("# ")).unwrap_or_default();
    let wanted = format!("# CYCLE {}: {} ", json.cycle, json.pipeline);
    if !title.starts_with(&wanted) {
        found.add(
            "Markdown title",
            format!("{title:?} is not of cycle {} of {}", json.cycle, json.pipeline),
        );
    }
    let verdict = json.verdict.as_deref().unwrap_or("running").to_uppercase();
    if title.rsplit(": ").next() != Some(&verdict) {
        found.add("Markdown title", format!("{title:?} does not say {verdict}"));
    }
    let planned = json.suite.as_ref().map_or((0, 0), |suite| (suite.completed, suite.planned));
    match ran(markdown) {
        Some(says) if says != planned => found.add(
            "Markdown headline",
            format!("says ran {} of {}, the JSON {} of {}", says.0, says.1, planned.0, planned.1),
        ),
        Some(_) => {}
        None => found.add("Markdown headline", "does not say how many ran".to_owned()),
    }
    figures(found, json, markdown);
    let head = markdown.split("\n## ").next().unwrap_or_default();
    let missing = json.revision.as_ref().filter(|r| !head.contains(&format!("`{}`", r.short)));
    if let Some(revision) = missing {
        found.add("Markdown headline", format!("does not name the revision {}", revision.short));
    }
}

/// The `Ran n of m` of the headline.
fn ran(markdown: &str) -> Option<(u32, u32)> {
    let head = markdown.split("\n## ").next()?;
    let rest = &head[head.find("Ran ")? + 4..];
    let (ran, rest) = rest.split_once(" of ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some((ran.parse().ok()?, rest[..digits].parse().ok()?))
}

/// The tally of the headline and the column of this run in the summary.
fn figures(found: &mut Found, json: &CycleJson<'_>, markdown: &str) {
    let verdict = json.verdict.as_deref().and_then(Verdict::parse);
    let Some(suite) = json.suite.as_ref().filter(|_| verdict.is_some_and(Verdict::has_valid_suite))
    else {
        return;
    };
    let failing = suite.failed + suite.errored;
    let tally = format!(" of {}: {} passed, {failing} failing", suite.planned, suite.passed);
    let head = markdown.split("\n## ").next().unwrap_or_default();
    if !head.contains(&tally) {
        found.add("Markdown headline", format!("does not say \u{201c}{}\u{201d}", &tally[1..]));
    }
    let summary = markdown.split("\n## ").find(|part| part.starts_with("Summary\n"));
    for (label, counted) in rows(suite) {
        let says = summary.and_then(|summary| this_run(summary, label));
        if says.is_some_and(|says| says != counted) {
            let says = says.unwrap_or_default();
            found.add(
                format!("Markdown summary: {label}"),
                format!("says {says}, the JSON {counted}"),
            );
        }
    }
}

fn rows(suite: &SuiteJson<'_>) -> [(&'static str, u32); 5] {
    [
        ("Planned", suite.planned),
        ("Completed", suite.completed),
        ("Passed", suite.passed),
        ("Failing (failed · errored)", suite.failed + suite.errored),
        ("Not run", suite.not_run),
    ]
}

/// The number with which the cell of this run begins: the second of two runs, or the only one.
fn this_run(summary: &str, label: &str) -> Option<u32> {
    let row = summary.lines().find_map(|line| line.strip_prefix(&format!("| {label} |")))?;
    let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
    let cell = if cells.len() == 1 { cells.first() } else { cells.get(1) }?;
    cell.split(' ').next()?.parse().ok()
}
