//! Every report that a test holds, as a git host shows it and as a terminal does: tables are tables, what is
//! folded closes, links lead to files that such a report has beside it, and 80 columns are enough.

use std::path::{Path, PathBuf};

use andon::report::terminal::{self, Look};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::stories;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files of the golden reports and of the scenarios.
fn reports() -> Vec<(PathBuf, String)> {
    let golden = std::fs::read_dir(root().join("tests/golden")).unwrap();
    let golden = golden.map(|entry| entry.unwrap().path());
    let stories = std::fs::read_dir(root().join("tests/scenarios")).unwrap();
    let stories = stories.map(|entry| entry.unwrap().path().join("report.md"));
    let reports: Vec<(PathBuf, String)> = golden
        .chain(stories)
        .filter(|path| path.extension().is_some_and(|ext| ext == "md") && path.exists())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(reports.len() > 50, "{}", reports.len());
    reports
}

fn parse(text: &str) -> Parser<'_> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_GFM | Options::ENABLE_STRIKETHROUGH;
    Parser::new_ext(text, options)
}

/// Elements of HTML that we write ourselves, each on lines of its own or within a cell.
fn is_ours(html: &str) -> bool {
    let html = html.trim();
    // An investigation keeps its anchors in comments.
    let comment = html.starts_with("<!--") && html.ends_with("-->");
    let folded = ["<details>", "</details>", "<br>"].contains(&html);
    comment || folded || html.starts_with("<summary>") && html.ends_with("</summary>")
}

#[test]
fn reports_render_as_they_were_meant() {
    for (path, text) in reports() {
        let name = path.display();
        let (mut depth, mut nesting, mut tables) = (0_i32, Vec::new(), 0);
        for event in parse(&text) {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    for line in html.lines() {
                        assert!(is_ours(line), "{name}: {line}");
                    }
                    depth += html.matches("<details>").count() as i32;
                    depth -= html.matches("</details>").count() as i32;
                    assert!(depth >= 0, "{name}: closed before it was opened");
                }
                Event::Start(tag) => {
                    tables += i32::from(matches!(tag, Tag::Table(_)));
                    nesting.push(tag.to_end());
                }
                Event::End(end) => assert_eq!(nesting.pop(), Some(end), "{name}"),
                Event::Text(text) if !nesting.contains(&TagEnd::CodeBlock) => {
                    assert!(!text.contains("|---"), "{name}: a table that is none: {text}");
                }
                _ => {}
            }
        }
        assert_eq!((depth, nesting.len()), (0, 0), "{name}");
        let written = text.lines().filter(|line| line.starts_with("|---")).count();
        assert_eq!(tables as usize, written, "{name}: a table is not shown as one");
    }
}

/// `cycle-0006.md`, `investigations/INV-….md`, `charts/….svg` and the index: what stands beside a report.
fn is_beside(destination: &str) -> bool {
    let numbered = |rest: &str, ending: &str| {
        rest.strip_suffix(ending).is_some_and(|n| n.len() == 4 && n.parse::<u32>().is_ok())
    };
    let path = destination.strip_prefix("chat-staging/").unwrap_or(destination);
    path == "README.md"
        || path == "charts/trend.svg"
        || path.strip_prefix("cycle-").is_some_and(|rest| numbered(rest, ".md"))
        || path.strip_prefix("charts/trend-").is_some_and(|rest| numbered(rest, ".svg"))
        || path.strip_prefix("investigations/INV-").is_some_and(|rest| rest.ends_with(".md"))
}

#[test]
fn links_lead_to_what_stands_beside_a_report() {
    for (path, text) in reports() {
        for event in parse(&text) {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                let is_investigation = path.to_string_lossy().contains("golden/investigation-");
                let known = is_beside(dest_url.strip_prefix("../").unwrap_or(&dest_url));
                assert!(known || is_investigation, "{}: {dest_url}", path.display());
            }
        }
    }
}

/// Links in the committed reports of a demo lead to files that are there.
#[test]
fn links_of_committed_reports_lead_somewhere() {
    let folder = root().join("reports/chat-staging");
    let mut followed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for event in parse(&text) {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                assert!(folder.join(&*dest_url).exists(), "{}: {dest_url}", path.display());
                followed += 1;
            }
        }
    }
    assert!(followed > 10, "{followed}");
}

#[test]
fn a_terminal_never_gets_more_cells_than_it_has() {
    for (path, text) in reports() {
        for width in [80, 60] {
            let shown = terminal::render(&text, Look { width, color: false });
            // What is copied must stay in one piece: commands, output, frames.
            let too_long =
                shown.lines().find(|line| line.chars().count() > width && !line.starts_with("  "));
            assert_eq!(too_long, None, "{} at {width}", path.display());
        }
    }
}

/// What comes before the details: the first lines, the summary, what changed.
#[test]
fn twenty_five_cases_fit_two_screens_before_the_details() {
    for (name, state) in stories::all() {
        let text = andon::report::markdown::render(&state);
        if !text.contains("\n## Failures") {
            continue; // Nothing ran: the deploy is the detail, and it is told in the first lines.
        }
        let shown = terminal::render(&text, Look { width: 80, color: false });
        let before = shown.lines().take_while(|line| !line.starts_with("Failures")).count();
        assert!(before <= 100, "{name}: {before} lines");
    }
}

/// The table of `docs/reading-a-report.md`: twelve stories, each with a report that is there.
#[test]
fn the_page_for_readers_names_twelve_reports() {
    let page = std::fs::read_to_string(root().join("docs/reading-a-report.md")).unwrap();
    let (_, table) = page.split_once("## Twelve reports to read").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let links: Vec<&str> =
            row.split("](").skip(1).filter_map(|l| l.split(')').next()).collect();
        assert!(!links.is_empty(), "{row}");
        for link in links {
            let file = root().join("docs").join(Path::new(link));
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let is_report = text.starts_with("# CYCLE ");
            let test = "fn a_hundred_thousand_cases_stay_readable";
            assert!(is_report || text.contains(test), "{link}");
        }
    }
}
