//! Text from outside, wherever a report shows it: it stays text.

use andon::domain::findings::{CaseFinding, InvestigationSnapshot};
use andon::domain::names::CaseId;
use andon::domain::outcome::Verdict;
use andon::domain::state::CycleState;
use andon::report::terminal::{self, Look};
use andon::report::{index, markdown};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::cycles::Story;
use crate::stories;

const FRAGMENTS: [&str; 24] = [
    "](http://evil)",
    "[x](javascript:alert(1))",
    "![x](http://evil/p.png)",
    "<script>alert(1)</script>",
    "</details>",
    "<!-- ",
    "|",
    "\\",
    "`",
    "```",
    "~~~\n",
    "\n\n# CYCLE 9: x: GREEN\n\n",
    "\n| a | b |\n|---|---|\n",
    "@everyone",
    "#1",
    "https://evil.example",
    "www.evil.example",
    "\u{202e}",
    "\u{1b}[2J",
    "**",
    "__",
    "$x$",
    "\r\n",
    "- ",
];

fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        5 => prop::sample::select(&FRAGMENTS[..]).prop_map(str::to_owned),
        2 => "[a-zäé ]{1,4}",
    ];
    prop::collection::vec(fragment, 1..9).prop_map(|parts| parts.concat())
}

/// The same cycle with every text from outside replaced.
fn poisoned(text: &str) -> CycleState {
    let mut story: Story = stories::auth_broken_story();
    let document =
        crate::stories::document(&story, None).replacen("- Claim:", &format!("- Claim: {text}"), 1);
    let facts = crate::stories::facts(&story, 0);
    let mut snapshot: InvestigationSnapshot =
        andon::investigation::update(Some(&document), &facts).snapshot;
    snapshot.notes.push(text.into());
    snapshot.file = text.into();
    story.findings.investigations = vec![snapshot];
    let state = &mut story.state;
    state.queued.trigger.detail = text.into();
    state.queued.definition.suite = Some(text.into());
    state.queued.definition.impact = Some(text.into());
    state.queued.definition.at_risk = Some(text.into());
    state.queued.definition.not_acted_on = vec![text.into()];
    let revision = &mut state.resolved.as_mut().unwrap().revision;
    revision.subject = text.into();
    revision.author = text.into();
    revision.branch = Some(text.into());
    for read in &mut state.surfaces {
        read.what.surfaces[0].served = Some(text.into());
        read.what.surfaces[1].surface = text.into();
    }
    for read in &mut state.controls {
        read.what.readings[0].failure = Some(text.into());
    }
    let plan = state.plan.as_mut().unwrap();
    plan.name = text.into();
    let odd: String = text.chars().filter(|c| !c.is_control()).collect();
    let odd_id = CaseId::parse(&format!("case {odd}")).unwrap();
    let old_id = plan.cases[0].id.clone();
    plan.cases[0].id = odd_id.clone();
    for case in &mut plan.cases {
        case.area = Some(text.into());
        case.impact = Some(text.into());
    }
    let attempts = state.attempts.remove(&old_id).unwrap();
    state.attempts.insert(odd_id.clone(), attempts);
    for attempt in state.attempts.values_mut().flatten() {
        for exchange in &mut attempt.evidence.exchanges {
            exchange.url = text.into();
            exchange.error = Some(text.into());
            for frame in &mut exchange.frames {
                frame.event = Some(text.into());
                frame.payload.text = text.into();
            }
        }
        for seen in &mut attempt.evidence.events {
            seen.expected[0] = text.into();
            seen.missing[0] = text.into();
        }
    }
    for cluster in &mut story.findings.clusters {
        cluster.title = text.into();
        cluster.because = text.into();
        for part in
            [&mut cluster.example.expected, &mut cluster.example.actual, &mut cluster.example.repro]
        {
            *part = Some(text.into());
        }
        cluster.cases.iter_mut().filter(|id| **id == old_id).for_each(|id| *id = odd_id.clone());
        for commit in &mut cluster.commits.as_mut().unwrap().commits {
            commit.subject = text.into();
            commit.files = vec![text.into()];
        }
    }
    let rename = |finding: &mut CaseFinding| {
        if finding.case == old_id {
            finding.case = odd_id.clone();
        }
    };
    story.findings.cases.iter_mut().for_each(rename);
    story.decided(Verdict::Red, text)
}

fn events(text: &str) -> Vec<Event<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_GFM
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_TASKLISTS;
    Parser::new_ext(text, options).collect()
}

/// Headings, tables with their columns, links, pictures and HTML: all that gives a page its shape.
fn shape(text: &str) -> Vec<String> {
    let shape = |event: &Event<'_>| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(format!("heading {level}")),
        Event::Start(Tag::Table(columns)) => Some(format!("table of {}", columns.len())),
        Event::Start(Tag::Link { .. }) => Some("link".to_owned()),
        Event::Start(Tag::Image { dest_url, .. }) => Some(format!("picture {dest_url}")),
        Event::Start(Tag::Item) => Some("item".to_owned()),
        Event::Start(Tag::CodeBlock(_)) => Some("block of code".to_owned()),
        Event::Html(html) | Event::InlineHtml(html) => Some(format!("html {html}")),
        Event::InlineMath(_) | Event::DisplayMath(_) | Event::FootnoteReference(_) => {
            Some("odd".to_owned())
        }
        Event::Start(Tag::Strikethrough) => Some("odd".to_owned()),
        _ => None,
    };
    events(text).iter().filter_map(shape).collect()
}

fn is_of_our_own(destination: &str) -> bool {
    let relative = ["investigations/", "cycle-", "charts/", "README.md"];
    relative.iter().any(|start| destination.starts_with(start)) && !destination.contains(':')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_poisoned_report_has_the_shape_of_a_plain_one(text in hostile()) {
        let report = markdown::render(&poisoned(&text));
        let plain = markdown::render(&poisoned("plain"));
        prop_assert_eq!(shape(&report), shape(&plain), "{}", report);
        for event in events(&report) {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                prop_assert!(is_of_our_own(&dest_url), "{}", dest_url);
            }
        }
        let hidden = |c: char| c != '\n' && c != '\t' && andon::domain::escape::is_hidden(c);
        prop_assert!(!report.contains(hidden));
        let shown = terminal::render(&report, Look { width: 80, color: false });
        prop_assert!(shown.lines().all(|line| line.chars().count() <= 402), "{}", shown);
    }

    #[test]
    fn index_pages_hold_too(text in hostile()) {
        let mut story = stories::auth_broken_story();
        for cycle in &mut story.findings.chain {
            cycle.trigger = text.clone();
            cycle.revision.as_mut().unwrap().subject = text.clone();
        }
        let page = index::pipeline_index(&story.state.queued.pipeline, &story.findings.chain, &[]);
        let rows = events(&page).iter().filter(|event| matches!(event, Event::Start(Tag::TableCell))).count();
        prop_assert_eq!(rows, 4 * 8, "{}", page);
        let links = events(&page).iter().filter(|event| matches!(event, Event::Start(Tag::Link { .. }))).count();
        prop_assert_eq!(links, 4, "{}", page);
    }
}

#[test]
fn folded_parts_open_and_close_where_they_should() {
    let page = markdown::render(&stories::auth_broken());
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events(&page).into_iter());
    assert_eq!(html.matches("<details>").count(), html.matches("</details>").count());
    // The list inside is Markdown again: a host shows it as a list.
    let inside = html.split("<summary>3 commits since the baseline</summary>").nth(1).unwrap();
    assert!(inside.trim_start().starts_with("<ul>"), "{inside}");
}

#[test]
fn a_terminal_of_eighty_columns_shows_it() {
    let page = markdown::render(&stories::auth_broken());
    let shown = terminal::render(&page, Look { width: 80, color: false });
    crate::golden::compare("auth-broken.terminal.txt", &shown);
    let in_code = |line: &&str| line.starts_with("  andon probe") || line.starts_with("  curl");
    assert!(
        shown.lines().filter(|l| !in_code(l)).all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}
