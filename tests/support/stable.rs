//! Text without what varies from run to run: ids of commits, instants, durations, sizes, ports, paths and
//! digests get stand-ins of a fixed form, so that a whole report can be compared.

use regex::{Captures, Regex};

pub(crate) struct Stable {
    folder: String,
    commits: Vec<String>,
    rules: Vec<(Regex, &'static str)>,
    hex: Regex,
}

impl Stable {
    pub(crate) fn new(folder: &str, commits: &[String]) -> Self {
        let rules = [
            (r"(127\.0\.0\.1|localhost):\d+", "$1:PORT"),
            (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)", "YYYY-MM-DD hh:mm:ss UTC"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "YYYY-MM-DD hh:mm UTC"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
            (r"\| Suite took \|[^|\n]*\|[^|\n]+\|.*", "| Suite took | N ms | N ms | |"),
            (r"; the slowest: .*", "; the slowest: …"),
            (r"\b\d+ min \d+ s\b", "N ms"),
            (r"\b\d+(\.\d+)? ?(ms|s|min|h)\b", "N ms"),
            (r"\b\d+(\.\d+)? (B|kB|MB)\b", "N B"),
            (r"\bprocess \d+\b", "process PID"),
            // How many connections and frames there were depends on who came first.
            (r"\b\d+ (rounds?|reads?)\b", "N $1"),
            (r"over \d+ new connections?", "over N new connections"),
            (r"(\| `127\.0\.0\.1:PORT` \| \d+ \| )\d+", "${1}N"),
            (r"came: (\w+, )+\w+( and \d+ more)?", "came: …"),
            (r"\((\d+) of \d+\):", "(N of N):"),
            (r"\((\d+)×\)", "(N×)"),
            (r"(\| `\w+` \| )\d+( \| \d+ of \d+ \| \|)", "${1}N$2"),
        ];
        let rules = rules.map(|(pattern, with)| (Regex::new(pattern).unwrap(), with)).into();
        Self {
            folder: folder.to_owned(),
            commits: commits.to_vec(),
            rules,
            hex: Regex::new(r"\b[0-9a-f]{7,64}\b").unwrap(),
        }
    }

    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.replace(&self.folder, "DIR");
        for (pattern, with) in &self.rules {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        let text = collapse(&offsets(&text));
        self.hex.replace_all(&text, |found: &Captures<'_>| self.stand_in(&found[0])).into_owned()
    }

    /// Commit 1 is `1111111`, commit 2 `2222222` …; anything else in hex that is no word is `x`.
    fn stand_in(&self, hex: &str) -> String {
        let number = self.commits.iter().position(|sha| sha.starts_with(hex));
        let digit = match number {
            Some(number) => char::from_digit(u32::try_from(number).unwrap() + 1, 36).unwrap(),
            None if hex.bytes().any(|b| b.is_ascii_digit()) && hex.len() >= 12 => 'x',
            None => return hex.to_owned(),
        };
        digit.to_string().repeat(hex.len())
    }
}

/// Rows of the matrix of events without the milliseconds after which each came.
fn offsets(text: &str) -> String {
    let offset = Regex::new(r"^\d+( \(N×\))?$").unwrap();
    let row = |line: &str| -> String {
        if !line.starts_with("| `") || !line.contains(" of ") {
            return line.to_owned();
        }
        let cells = line.split(" | ").map(|cell| offset.replace(cell, "N$1").into_owned());
        cells.collect::<Vec<_>>().join(" | ")
    };
    text.split('\n').map(row).collect::<Vec<_>>().join("\n")
}

/// Frames without what they carry, and one of those that follow each other under one name.
fn collapse(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in text.split('\n') {
        let line = frame(line).unwrap_or(line);
        if frame(line).is_none() || kept.last() != Some(&line) {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// Direction and name of a frame; `None` for any other line.
fn frame(line: &str) -> Option<&str> {
    let rest = line.trim_start();
    let rest = rest.strip_prefix("N ms ").filter(|rest| rest.starts_with(['←', '→']))?;
    let name_ends = rest.match_indices(' ').nth(1).map_or(rest.len(), |(at, _)| at);
    let begin = line.len() - rest.len();
    Some(&line[..begin + name_ends])
}
