//! Which commits count: path rules, the skip marker, and reports of Andon's own.

use crate::domain::commit::{Echo, FullCommit, REPORT_ADDRESS};
use crate::domain::glob::Glob;
use crate::domain::spec::Watch;

/// The trailer of the commits by which Andon publishes its reports.
const OWN_TRAILER: &str = "andon-report";
/// The most patterns that a rule's text names.
const NAMED: usize = 5;

/// The rules of one pipeline that pass commits over.
///
/// Where a commit's files or message were cut, it counts: testing once too often is the safe side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    paths: Vec<Glob>,
    ignore_paths: Vec<Glob>,
    skip_marker: Option<String>,
    /// The folder in the watched repository to which reports are pushed, without slashes at its ends.
    reports: Option<String>,
}

impl Rules {
    /// The rules of a pipeline. `reports` is where it publishes reports, when that is in the
    /// repository that it watches.
    pub fn new(watch: &Watch, reports: Option<&str>) -> Self {
        // What is no glob was refused when the pipeline was read.
        let globs =
            |texts: &[String]| texts.iter().filter_map(|text| Glob::parse(text).ok()).collect();
        let folder = reports.map(|path| path.trim_start_matches("./").trim_matches('/').to_owned());
        Self {
            paths: globs(&watch.paths),
            ignore_paths: globs(&watch.ignore_paths),
            skip_marker: Some(watch.skip_marker.clone()).filter(|marker| !marker.trim().is_empty()),
            // At the top of a repository, everything would be a report.
            reports: folder.filter(|path| !path.is_empty() && path != "."),
        }
    }

    /// The rule that passes a commit over, for people; `None` when it counts.
    pub fn passed_over(&self, commit: &FullCommit) -> Option<String> {
        if self.is_own(commit) {
            return Some("a report of Andon's own".into());
        }
        if let Some(marker) = self.skip_marker.as_deref().filter(|m| commit.message.contains(*m)) {
            return Some(format!("{marker} in its message"));
        }
        if commit.is_cut() {
            return None;
        }
        self.passed_by_reports(&commit.info.files)
            .or_else(|| self.passed_by_paths(&commit.info.files))
    }

    /// Whether a commit is one by which some pipeline published reports. The trailer alone does not make
    /// it one: who squashes a branch gathers the trailers of its commits, beside changes of their own.
    fn is_own(&self, commit: &FullCommit) -> bool {
        let files = &commit.info.files;
        let is_report = |file: &String| self.is_in_reports(file) || looks_like_a_report(file);
        has_own_trailer(&commit.message)
            && !commit.is_cut()
            && !files.is_empty()
            && files.iter().all(is_report)
    }

    /// Whether a commit may be what an earlier cycle left behind, whoever rewrote it since. A page that
    /// is called like others, as a README, makes none by itself.
    pub fn echo(&self, commit: &FullCommit) -> Echo {
        let files = &commit.info.files;
        if commit.is_cut() || files.is_empty() {
            return Echo::No;
        }
        let is_report = |file: &String| self.is_in_reports(file) || looks_like_a_report(file);
        let is_telling = |file: &String| self.is_in_reports(file) || !is_a_readme(file);
        let only_reports = files.iter().all(is_report) && files.iter().any(is_telling);
        let is_of_ours = commit.author_email == REPORT_ADDRESS;
        if only_reports || is_of_ours { Echo::Yes } else { Echo::No }
    }

    fn is_in_reports(&self, file: &str) -> bool {
        let rest = self.reports.as_deref().and_then(|folder| file.strip_prefix(folder));
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    fn passed_by_reports(&self, files: &[String]) -> Option<String> {
        let folder = self.reports.as_deref()?;
        (!files.is_empty() && files.iter().all(|file| self.is_in_reports(file)))
            .then(|| format!("touches only {folder}/, where reports are published"))
    }

    fn passed_by_paths(&self, files: &[String]) -> Option<String> {
        if files.is_empty() {
            // An empty commit is a common way to ask for a run; but it touches none of the paths.
            return (!self.paths.is_empty()).then(|| "touches no file".into());
        }
        let wanted = |file: &&String| {
            self.paths.is_empty() || self.paths.iter().any(|glob| glob.matches_path(file))
        };
        let (inside, outside): (Vec<&String>, Vec<&String>) = files.iter().partition(wanted);
        let ignores = |glob: &Glob, file: &str| glob.matches_path(file);
        if inside.iter().any(|file| !self.ignore_paths.iter().any(|glob| ignores(glob, file))) {
            return None;
        }
        if inside.is_empty() {
            return Some(format!("touches nothing in {}", named(&self.paths)));
        }
        let used: Vec<&Glob> = self
            .ignore_paths
            .iter()
            .filter(|glob| inside.iter().any(|file| ignores(glob, file)))
            .collect();
        let beyond = if outside.is_empty() { "" } else { " of the watched paths" };
        Some(format!("touches only {}{beyond}", named(used)))
    }
}

fn named<'a>(globs: impl IntoIterator<Item = &'a Glob>) -> String {
    let mut texts: Vec<&str> = globs.into_iter().map(Glob::source).collect();
    let more = texts.len().saturating_sub(NAMED);
    texts.truncate(NAMED);
    let text = texts.join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}

/// Whether a path is one that reports have, wherever a pipeline publishes them.
fn looks_like_a_report(path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let lies_in = |name: &str| folder.rsplit('/').next() == Some(name);
    let ends = |ends: &[&str]| ends.iter().any(|end| file.ends_with(end));
    match file.split('-').next() {
        Some("cycle") => ends(&[".md", ".json", ".junit.xml"]),
        Some("trend") => lies_in("charts") && ends(&[".svg"]),
        Some("INV") => lies_in("investigations") && ends(&[".md"]),
        Some(_) | None => file == "README.md",
    }
}

fn is_a_readme(path: &str) -> bool {
    path.rsplit('/').next() == Some("README.md")
}

/// Whether the last paragraph of a message has our trailer.
fn has_own_trailer(message: &str) -> bool {
    let lines = message.trim_end().lines().rev().take_while(|line| !line.trim().is_empty());
    lines.filter_map(|line| line.split_once(':')).any(|(key, value)| {
        key.trim_end().eq_ignore_ascii_case(OWN_TRAILER) && !value.trim().is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{commit, watch};
    use super::*;

    fn rule(change: impl Fn(&mut Watch), message: &str, files: &[&str]) -> Option<String> {
        let mut watch = watch(&[]);
        change(&mut watch);
        Rules::new(&watch, Some("./reports/")).passed_over(&commit(1, message, files))
    }

    fn globs(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn without_rules_everything_counts() {
        for files in [&["a.rs"][..], &["docs/x.md"], &[], &["reports", "reportsx/y"]] {
            assert_eq!(rule(|_| {}, "A change", files), None, "{files:?}");
        }
    }

    #[test]
    fn paths_and_ignored_paths() {
        let only = |w: &mut Watch| w.paths = globs(&["backend/**", "*.sql"]);
        let not = |w: &mut Watch| w.ignore_paths = globs(&["docs/**", "*.md", "LICENSE"]);
        let both = |w: &mut Watch| {
            only(w);
            not(w);
        };
        type Row<'a> = (&'a dyn Fn(&mut Watch), &'a [&'a str], Option<&'a str>);
        let table: &[Row<'_>] = &[
            (&only, &["backend/a.rs"], None),
            (&only, &["web/x.ts", "db/1.sql"], None),
            (&only, &["web/x.ts"], Some("touches nothing in backend/**, *.sql")),
            (&only, &[], Some("touches no file")),
            (&not, &["docs/a/b.txt"], Some("touches only docs/**")),
            (&not, &["docs/a.txt", "src/README.md"], Some("touches only docs/**, *.md")),
            (&not, &["docs/a.txt", "src/a.rs"], None),
            (&not, &[], None),
            (&both, &["backend/a.rs", "docs/a.txt"], None),
            (&both, &["backend/NOTES.md"], Some("touches only *.md")),
            (
                &both,
                &["backend/NOTES.md", "web/x.ts"],
                Some("touches only *.md of the watched paths"),
            ),
            (&both, &["web/x.ts"], Some("touches nothing in backend/**, *.sql")),
        ];
        for (change, files, expected) in table {
            assert_eq!(rule(change, "A change", files).as_deref(), *expected, "{files:?}");
        }
    }

    #[test]
    fn the_marker_may_stand_anywhere_in_the_message() {
        assert_eq!(
            rule(|_| {}, "Fix [skip andon]", &["a"]).as_deref(),
            Some("[skip andon] in its message")
        );
        assert_eq!(
            rule(|_| {}, "Fix\n\nlong\n[skip andon]\n", &["a"]).as_deref(),
            Some("[skip andon] in its message")
        );
        assert_eq!(rule(|_| {}, "Fix [skip ci]", &["a"]), None);
        assert_eq!(
            rule(|w| w.skip_marker = "[skip ci]".into(), "Fix [skip ci]", &["a"]).as_deref(),
            Some("[skip ci] in its message")
        );
        // An empty marker stands in every message, and is none.
        assert_eq!(rule(|w| w.skip_marker = " ".into(), "Fix it", &["a"]), None);
    }

    /// RELIABILITY H13.
    #[test]
    fn reports_of_our_own_never_count() {
        let own = Some("a report of Andon's own");
        let table: &[(&str, &[&str], Option<&str>)] = &[
            ("Report\n\nAndon-Report: chat-staging 7\n", &["reports/x/y"], own),
            ("Report\n\nbody\n\nSigned-off-by: x\nandon-report : 7", &["reports/a"], own),
            // Of another pipeline, which publishes elsewhere in this repository.
            (
                "Report\n\nAndon-Report: web 7",
                &[
                    "out/README.md",
                    "out/web/cycle-0007.md",
                    "out/web/cycle-0007.junit.xml",
                    "out/web/charts/trend-0007.svg",
                    "out/web/investigations/INV-0001-x.md",
                ],
                own,
            ),
            // A squash merge that gathered trailers beside a change.
            ("Squash\n\nAndon-Report: chat 7", &["reports/chat/cycle-0007.md", "src/a.rs"], None),
            ("Squash\n\nAndon-Report: chat 7", &["src/a.rs"], None),
            ("Squash\n\nAndon-Report: chat 7", &["src/cycle-7.rs", "trend-1.svg"], None),
            ("Empty\n\nAndon-Report: chat 7", &[], None),
            ("Report\n\nAndon-Report: 7\n\nnot in the last paragraph", &["a"], None),
            ("Report\n\nAndon-Report:", &["a"], None),
            (
                "x",
                &["reports/chat/1.md", "reports/index.md"],
                Some("touches only reports/, where reports are published"),
            ),
            ("x", &["reports/chat/1.md", "src/a.rs"], None),
        ];
        for (message, files, expected) in table {
            assert_eq!(rule(|_| {}, message, files).as_deref(), *expected, "{message:?}");
        }
        for top in ["", ".", "/", "./"] {
            let rules = Rules::new(&watch(&[]), Some(top));
            assert_eq!(rules.passed_over(&commit(1, "x", &["src/a.rs"])), None, "{top:?}");
        }
    }

    #[test]
    fn what_cycles_leave_behind_is_known_by_its_files_or_its_author() {
        let rules = Rules::new(&watch(&[]), Some("docs/qa"));
        let echo = |files: &[&str]| rules.echo(&commit(1, "Format", files));
        assert_eq!(echo(&["docs/qa/shop/README.md"]), Echo::Yes);
        assert_eq!(echo(&["README.md", "shop/cycle-0007.md"]), Echo::Yes);
        assert_eq!(echo(&["x/charts/trend-0007.svg"]), Echo::Yes);
        // People write READMEs, and beside reports.
        assert_eq!(echo(&["README.md", "lib/README.md"]), Echo::No);
        assert_eq!(echo(&["shop/cycle-0007.md", "VERSION"]), Echo::No);
        assert_eq!(echo(&[]), Echo::No);
        let mut ours = commit(1, "x", &["VERSION"]);
        ours.author_email = REPORT_ADDRESS.into();
        assert_eq!(rules.echo(&ours), Echo::Yes);
        ours.info.files_total = 2;
        assert_eq!(rules.echo(&ours), Echo::No, "nobody can tell");
    }

    #[test]
    fn a_commit_whose_files_were_cut_counts() {
        let mut big = commit(1, "x", &["docs/a"]);
        let mut watch = watch(&[]);
        watch.ignore_paths = globs(&["docs/**"]);
        let rules = Rules::new(&watch, Some("docs"));
        assert!(rules.passed_over(&big).is_some());
        big.info.files_total = 2;
        assert_eq!(rules.passed_over(&big), None);
        big.message = "Squash\n\nAndon-Report: chat 7".into();
        assert_eq!(rules.passed_over(&big), None);
        // The marker tells enough without the files.
        big.message = "[skip andon]".into();
        assert!(rules.passed_over(&big).is_some());
    }

    #[test]
    fn many_patterns_are_not_all_named() {
        let many: Vec<String> = (0..8).map(|n| format!("p{n}/**")).collect();
        let text = rule(|w| w.paths.clone_from(&many), "x", &["z"]);
        assert_eq!(
            text.as_deref(),
            Some("touches nothing in p0/**, p1/**, p2/**, p3/**, p4/** and 3 more")
        );
    }
}
