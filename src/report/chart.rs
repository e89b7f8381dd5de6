//! The trend of a pipeline as an SVG picture: passing, failing and not run, a bar a cycle.
//!
//! It stands in reports that are read in light and dark, so it brings both palettes; it is told apart
//! by position and pattern of labels, not by colour alone; and it has a text that says the same.

use std::fmt::Write as _;

use crate::domain::history::{Counts, CycleSummary};
use crate::domain::outcome::Verdict;
use crate::report::view::View;
use crate::report::words;

/// At most so many cycles in one picture: the latest.
pub const MAX_POINTS: usize = 30;

const BAR: u32 = 16;
const GAP: u32 = 6;
const LEFT: u32 = 36;
const TOP: u32 = 28;
const HEIGHT: u32 = 100;
/// What the durations take below the cases, and the tallest bar of them.
const BAND: u32 = 70;
const BAND_HEIGHT: u32 = 40;

/// One cycle of the trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Its number.
    pub cycle: u32,
    /// Its verdict.
    pub verdict: Option<Verdict>,
    /// How its cases ended; nothing for a cycle whose results do not count.
    pub counts: Option<Counts>,
    /// How long its suite took; nothing where the results do not count, or it never began.
    pub suite_ms: Option<u64>,
}

impl Point {
    /// A cycle in the trend.
    pub fn new(
        cycle: u32,
        verdict: Option<Verdict>,
        counts: Counts,
        suite_ms: Option<u64>,
    ) -> Self {
        let valid = verdict.is_some_and(Verdict::has_valid_suite);
        let suite_ms = suite_ms.filter(|_| valid);
        Self { cycle, verdict, counts: valid.then_some(counts), suite_ms }
    }

    fn of(summary: &CycleSummary) -> Self {
        Self::new(summary.cycle, summary.verdict, summary.counts, summary.suite_ms)
    }

    /// Passing, failing, and the rest of the planned cases.
    fn parts(&self) -> (u32, u32, u32) {
        let counts = self.counts.unwrap_or_default();
        let good = counts.passed + counts.flaky;
        (good, counts.failing(), counts.planned.saturating_sub(good + counts.failing()))
    }
}

/// Where the picture of a cycle stands, relative to its report.
pub fn file_name(cycle: u32) -> String {
    format!("charts/trend-{cycle:04}.svg")
}

/// The last cycles up to this one. A question to an older commit counts for no trend.
pub fn points(view: &View<'_>) -> Vec<Point> {
    if view.is_question() {
        return Vec::new();
    }
    let chain = view.findings.map_or(&[][..], |findings| &findings.chain);
    let skipped = (chain.len() + 1).saturating_sub(MAX_POINTS);
    let mut points: Vec<Point> = chain.iter().skip(skipped).map(Point::of).collect();
    let suite_ms = view.state.suite_ended.as_ref().map(|ended| ended.duration_ms);
    points.push(Point::new(view.state.queued.cycle, view.verdict(), view.counts(), suite_ms));
    points
}

/// The latest of these cycles, which come newest first.
pub fn latest(newest_first: &[&CycleSummary]) -> Vec<Point> {
    newest_first.iter().take(MAX_POINTS).rev().map(|cycle| Point::of(cycle)).collect()
}

/// How long the suites took, in words; nothing where none did.
fn durations(points: &[Point]) -> Option<String> {
    points.iter().any(|point| point.suite_ms.is_some()).then(|| {
        let said = |point: &Point| point.suite_ms.map_or_else(|| "–".to_owned(), words::duration);
        format!("The suite took: {}", points.iter().map(said).collect::<Vec<_>>().join(", "))
    })
}

/// The picture in words: `Passing cases in cycles 1 to 7: 24, 22, void, … of 25`.
pub fn alternative(points: &[Point]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return "No cycles".to_owned();
    };
    let said: Vec<String> = points
        .iter()
        .map(|point| match (&point.counts, point.verdict) {
            (Some(_), _) => {
                format!("{} of {}", point.parts().0, point.counts.map_or(0, |c| c.planned))
            }
            (None, Some(verdict)) => verdict.as_str().replace('_', " "),
            (None, None) => "not over".to_owned(),
        })
        .collect();
    format!("Passing cases in cycles {} to {}: {}", first.cycle, last.cycle, said.join(", "))
}

/// The picture.
pub fn render(points: &[Point]) -> String {
    let bars = u32::try_from(points.len()).unwrap_or(u32::MAX).min(1_000);
    let width = (LEFT + bars * (BAR + GAP) + 12).max(320);
    let tallest =
        points.iter().map(|p| p.counts.map_or(0, |c| c.planned)).max().unwrap_or(0).max(1);
    let durations = durations(points);
    let height = if durations.is_some() { 160 + BAND } else { 160 };
    let desc = durations.map_or_else(String::new, |said| format!("<desc>{said}</desc>\n"));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <title>{}</title>\n{desc}{STYLE}",
        alternative(points)
    );
    legend(&mut svg);
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{tallest}</text>\n<text x=\"{}\" y=\"{}\" text-anchor=\"end\">0</text>",
        LEFT - 6,
        TOP + 8,
        LEFT - 6,
        TOP + HEIGHT
    );
    for (at, point) in (0_u32..).zip(points) {
        bar(&mut svg, LEFT + at * (BAR + GAP), point, tallest);
    }
    took(&mut svg, points);
    svg.push_str("</svg>\n");
    svg
}

const STYLE: &str = "<style>\
text{font:10px sans-serif;fill:#57606a}.p{fill:#2da44e}.f{fill:#cf222e}.n{fill:#afb8c1}.d{fill:#0969da}.v{fill:none;stroke:#afb8c1;stroke-dasharray:2 2}\
@media(prefers-color-scheme:dark){text{fill:#8b949e}.p{fill:#3fb950}.f{fill:#f85149}.n{fill:#6e7681}.d{fill:#58a6ff}.v{stroke:#6e7681}}\
</style>\n";

fn legend(svg: &mut String) {
    let entries =
        [("p", "passing"), ("f", "failing"), ("n", "not run, skipped"), ("v", "no result")];
    let mut x = LEFT;
    for (class, label) in entries {
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"4\" width=\"9\" height=\"9\"/><text x=\"{}\" y=\"12\">{label}</text>",
            x + 13
        );
        x += 24 + 6 * u32::try_from(label.len()).unwrap_or(0);
    }
}

fn bar(svg: &mut String, x: u32, point: &Point, tallest: u32) {
    let bottom = TOP + HEIGHT;
    let _ = writeln!(svg, "<g><title>{}</title>", tooltip(point));
    if point.counts.is_none() {
        let _ = writeln!(
            svg,
            "<rect class=\"v\" x=\"{x}\" y=\"{}\" width=\"{BAR}\" height=\"{}\"/>",
            bottom - 12,
            12
        );
    }
    let (good, failing, rest) = point.parts();
    let mut y = bottom;
    for (class, part) in [("p", good), ("f", failing), ("n", rest)] {
        // What is there is seen, however small its share.
        let share = u64::from(part) * u64::from(HEIGHT) / u64::from(tallest);
        let height = if part == 0 { 0 } else { u32::try_from(share).unwrap_or(HEIGHT).max(2) };
        if height > 0 {
            y = y.saturating_sub(height);
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{BAR}\" height=\"{height}\"/>"
            );
        }
    }
    let middle = x + BAR / 2;
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text></g>",
        bottom + 14,
        point.cycle
    );
}

/// How long the suites took, in a band of its own below the cycles' numbers.
fn took(svg: &mut String, points: &[Point]) {
    let Some(longest) = points.iter().filter_map(|point| point.suite_ms).max() else { return };
    let bottom = 160 + BAND - 8;
    let _ = writeln!(
        svg,
        "<rect class=\"d\" x=\"{LEFT}\" y=\"{0}\" width=\"9\" height=\"9\"/><text x=\"{1}\" y=\"{2}\">the suite took, at most {3}</text>",
        bottom - BAND_HEIGHT - 16,
        LEFT + 13,
        bottom - BAND_HEIGHT - 8,
        words::duration(longest)
    );
    for (at, point) in (0_u32..).zip(points) {
        let Some(ms) = point.suite_ms else { continue };
        let share = ms.saturating_mul(u64::from(BAND_HEIGHT)) / longest.max(1);
        let height = u32::try_from(share).unwrap_or(BAND_HEIGHT).max(2);
        let _ = writeln!(
            svg,
            "<g><title>cycle {}: {}</title><rect class=\"d\" x=\"{}\" y=\"{}\" width=\"{BAR}\" height=\"{height}\"/></g>",
            point.cycle,
            words::duration(ms),
            LEFT + at * (BAR + GAP),
            bottom - height
        );
    }
}

fn tooltip(point: &Point) -> String {
    let verdict = point.verdict.map_or("not over", Verdict::as_str).replace('_', " ");
    if point.counts.is_none() {
        return format!("cycle {}: {verdict}", point.cycle);
    }
    let (good, failing, rest) = point.parts();
    format!(
        "cycle {}: {verdict}, {good} passing, {failing} failing, {rest} not run or skipped",
        point.cycle
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(planned: u32, passed: u32, failed: u32) -> Counts {
        let not_run = planned - passed - failed;
        Counts { planned, passed, failed, not_run, ..Counts::default() }
    }

    #[test]
    fn the_picture_says_in_words_what_it_shows() {
        let points = [
            Point::new(1, Some(Verdict::Green), counts(25, 25, 0), Some(61_000)),
            Point::new(2, Some(Verdict::Void), counts(25, 25, 0), Some(9_000)),
            Point::new(3, Some(Verdict::Red), counts(25, 20, 5), Some(122_000)),
        ];
        let words = alternative(&points);
        assert_eq!(words, "Passing cases in cycles 1 to 3: 25 of 25, void, 20 of 25");
        let svg = render(&points);
        assert!(svg.contains(&format!("<title>{words}</title>")));
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert_eq!(svg.matches("class=\"f\" x=").count(), 2, "one in the legend, one failing bar");
        assert!(svg.contains("<desc>The suite took: 1 min 01 s, –, 2 min 02 s</desc>"), "{svg}");
        assert!(svg.contains("<title>cycle 3: 2 min 02 s</title>"), "{svg}");
        assert_eq!(svg.matches("class=\"d\" x=").count(), 3, "one in the legend, two suites");
        assert_eq!(svg, render(&points));
    }

    #[test]
    fn one_failing_of_many_is_still_seen() {
        let svg = render(&[Point::new(1, Some(Verdict::Red), counts(100_000, 99_999, 1), None)]);
        assert!(
            svg.lines().any(|l| l.contains("class=\"f\"") && l.contains("height=\"2\"")),
            "{svg}"
        );
    }
}
