//! Hostile text against every context, read back by a Markdown parser.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;

/// Fragments that mean something in some dialect of Markdown, in HTML, or to a host.
const HOSTILE: [&str; 54] = [
    "*",
    "**",
    "_",
    "__",
    "`",
    "``",
    "```",
    "~~~",
    "~",
    "#",
    "# ",
    "> ",
    "- ",
    "+ ",
    "1. ",
    "12) ",
    "|",
    "\\",
    "\\|",
    "\\\\|",
    "[x](http://evil)",
    "![x](y.png)",
    "[x]: http://evil",
    "<b>",
    "</details>",
    "<!--",
    "-->",
    "<http://evil>",
    "http://evil.example/",
    "www.evil.example",
    "a@b.example",
    "@ada",
    "#12",
    "GH-12",
    "&lt;",
    "&#60;",
    "&",
    "javascript:alert(1)",
    ":octocat:",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "    ",
    "---",
    "===",
    "$x$",
    "[^1]",
    "\u{202e}",
    "\u{200b}",
    "\u{1b}]8;;http://evil\u{7}",
    "\0",
    "a",
    "ä",
];

fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        4 => prop::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
        1 => "[a-z ]{1,5}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(fragment, 0..14).prop_map(|parts| parts.concat())
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM
        | Options::ENABLE_DEFINITION_LIST
}

/// What a document does besides saying words.
fn structure(markdown: &str) -> Vec<String> {
    Parser::new_ext(markdown, options())
        .filter_map(|event| match event {
            Event::Text(_) | Event::Code(_) | Event::End(_) | Event::SoftBreak => None,
            Event::Start(tag) => Some(format!("{tag:?}")),
            other => Some(format!("{other:?}")),
        })
        .collect()
}

/// The words outside code spans, where hosts look for mentions and addresses.
fn plain_words(markdown: &str) -> String {
    let mut words = String::new();
    let mut in_block = false;
    for event in Parser::new_ext(markdown, options()) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_block = true,
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_block = false,
            Event::Text(text) if !in_block => words.push_str(&text),
            Event::Code(_) => words.push(' '),
            _ => {}
        }
    }
    words
}

fn is_linkable(words: &str) -> bool {
    let lower = words.to_lowercase();
    words.contains('@')
        || lower.contains("://")
        || lower.contains("www.")
        || lower.contains("javascript:")
        || is_followed_by(&lower, "#", |b| b.is_ascii_alphanumeric())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_paragraph_stays_a_paragraph(raw in hostile()) {
        let markdown = format!("{} end", text(&raw));
        prop_assert_eq!(structure(&markdown), ["Paragraph"], "{}", markdown);
        prop_assert!(!is_linkable(&plain_words(&markdown)), "{}", markdown);
        prop_assert!(!markdown.chars().any(is_hidden), "{:?}", markdown);
    }

    #[test]
    fn a_heading_stays_one_heading(raw in hostile()) {
        let markdown = format!("# CYCLE {}", text(&raw));
        prop_assert_eq!(structure(&markdown).len(), 1, "{}", markdown);
        prop_assert!(structure(&markdown)[0].starts_with("Heading"));
    }

    #[test]
    fn emphasis_of_our_own_holds(raw in hostile()) {
        let inner = text(&raw);
        prop_assume!(!inner.is_empty());
        let markdown = format!("**so: {inner}.** end");
        prop_assert_eq!(structure(&markdown), ["Paragraph", "Strong"], "{}", markdown);
    }

    #[test]
    fn a_table_keeps_its_columns(raw in hostile(), other in hostile()) {
        let markdown = format!(
            "| a | b |\n|---|---|\n| {} | {} |\n| {} | x |\n",
            cell(&raw), cell_code(&other), cell_code(&raw)
        );
        let found = structure(&markdown);
        let cells = found.iter().filter(|tag| *tag == "TableCell").count();
        prop_assert_eq!(cells, 6, "{}", markdown);
        prop_assert!(found.iter().all(|tag| tag.starts_with("Table")), "{:?}\n{}", found, markdown);
        prop_assert!(!is_linkable(&plain_words(&markdown)), "{}", markdown);
        // Nothing spilled over into the last column.
        prop_assert!(plain_words(&markdown).trim_end().ends_with('x'), "{}", markdown);
    }

    #[test]
    fn code_shows_exactly_the_text(raw in hostile()) {
        let markdown = format!("see {} end", code(&raw));
        prop_assert_eq!(structure(&markdown), ["Paragraph"], "{}", markdown);
        let flat = flatten(&clip(&raw, MAX_CELL)).into_owned();
        let shown = Parser::new_ext(&markdown, options()).find_map(|event| match event {
            Event::Code(text) => Some(text.to_string()),
            _ => None,
        });
        prop_assert_eq!(shown.unwrap_or_default(), flat, "{}", markdown);
    }

    #[test]
    fn a_fence_holds_whatever_is_inside(raw in hostile()) {
        let markdown = format!("{}after\n", fenced(&raw, "text", Keep::Last, 100));
        let found = structure(&markdown);
        prop_assert_eq!(found.len(), 2, "{:?}\n{}", found, markdown);
        prop_assert!(found[0].starts_with("CodeBlock"));
        prop_assert_eq!(found[1].as_str(), "Paragraph");
        prop_assert_eq!(plain_words(&markdown), "after");
    }

    #[test]
    fn a_summary_is_one_piece_of_html(raw in hostile()) {
        let html = html_code(&raw);
        let inner = html.strip_prefix("<code>").unwrap().strip_suffix("</code>").unwrap();
        prop_assert!(!inner.contains(['<', '>', '\n']), "{}", html);
    }

    #[test]
    fn a_destination_is_one_word(raw in hostile()) {
        let markdown = format!("[x]({})", destination(&format!("a/{raw}")));
        let links = structure(&markdown);
        prop_assert_eq!(links.len(), 2, "{}", markdown);
    }
}

#[test]
fn plain_text_is_left_alone() {
    for plain in [
        "expected status 200, got 404",
        "test_001_websocket_connection_real",
        "user context must be a UserExecutionContext",
        "50 % of 20, i.e. half (p95 < none)".replace('<', "over").as_str(),
        "thread paging (ada)",
    ] {
        assert_eq!(text(plain), plain);
        assert_eq!(cell(plain), plain);
    }
}

#[test]
fn what_hosts_link_is_shown_as_code() {
    assert_eq!(text("ping @ada about #12"), "ping `@ada` about `#12`");
    assert_eq!(text("see https://evil.example/x_y."), "see `https://evil.example/x_y.`");
    assert_eq!(text("[log](http://x/y); a"), "`[log](http://x/y)`; a");
    assert_eq!(text("a | b <b>"), "a \\| b &lt;b&gt;");
    assert_eq!(text("$120K at risk"), "\\$120K at risk");
    assert_eq!(text("x\u{202e}y\u{1b}z"), "x⟨U+202E⟩y␛z");
    assert_eq!(cell_code("a|b\\|c"), "`a\\|b\\\\\\|c`");
}

#[test]
fn a_cut_says_how_much_is_missing() {
    assert_eq!(clip("äöü", 2), "äö… (1 more characters)");
    let long = "line\n".repeat(100);
    let last = fenced(&long, "text", Keep::Last, 3);
    assert_eq!(last, "```text\n… 97 earlier lines left out\nline\nline\nline\n```\n");
    assert!(fenced(&long, "text", Keep::First, 3).ends_with("… 97 more lines left out\n```\n"));
    assert!(text(&"x ".repeat(1_000_000)).len() < 3_000);
}

#[test]
fn colours_go_and_other_sequences_stay_visible() {
    let shown = fenced("\u{1b}[31mred\u{1b}[0m \u{1b}[2J \u{1b}]8;;x\u{7}", "text", Keep::First, 9);
    assert_eq!(shown, "```text\nred ␛[2J ␛]8;;x␇\n```\n");
}
