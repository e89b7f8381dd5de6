//! A document as a cycle makes it, with the links of its page: whoever words a part anew finds the links here.

use andon::investigation::{CommitLink, Fate, commits_told, linked, mark_gone};

use crate::stories::{auth_broken_story, closed_document, document};

/// Each line of a part that links are put into, as it is and as it becomes.
#[test]
fn the_lines_that_a_cycle_writes_get_their_links() {
    let story = auth_broken_story();
    let text = document(&story, Some(&closed_document(&story)));
    let text = mark_gone(&text, 9).unwrap();
    let known = |short: &str| {
        let fate = match short {
            "4f1c2aa" => Fate::In("tested in", 7),
            "77aa012" => Fate::Says("skipped"),
            _ => return None,
        };
        let href = matches!(fate, Fate::In(..)).then(|| format!("/p#{short}"));
        Some(CommitLink { href, fate })
    };
    let with_links = linked(&text, |cycle| format!("/p/{cycle}"), known);
    let changed: Vec<(&str, &str)> =
        text.lines().zip(with_links.lines()).filter(|(before, after)| before != after).collect();
    let expected = [
        "State: **reopened**, opened in [cycle 7](/p/7), came back in [cycle 7](/p/7), gone from [cycle 9](/p/9) on. \
         Fingerprint `v1-0a1b2c3d4e5f`.",
        "| First bad | [cycle 7](/p/7), `4f1c2aa` |",
        "| Last good | [cycle 6](/p/6), `9b0d3e1` |",
        "| Seen | in 3 cycles, first in [cycle 2](/p/2) |",
        "- [`4f1c2aa`](/p#4f1c2aa) auth: new context factory (lin, 2026-11-23 13:55 UTC): `auth/context.py`, \
         `ws/handlers.py` — tested in [cycle 7](/p/7)",
        "- `77aa012` bump deps (bot, 2026-11-23 13:55 UTC): `poetry.lock` — skipped",
        "- `c0ffee4` readme (ada, 2026-11-23 13:55 UTC): `README.md` — came with [cycle 7](/p/7)",
        "| [7](/p/7) | `4f1c2aa` | 2026-11-23 14:05:00 UTC | 4 | green |",
        "### Why 1. Observed in [cycle 7](/p/7)",
    ];
    let after: Vec<&str> = changed.iter().map(|(_, after)| *after).collect();
    assert_eq!(after, expected);
    let told: Vec<&str> = commits_told(&text).into_iter().collect();
    assert_eq!(told, ["4f1c2aa", "77aa012", "c0ffee4"]);
    assert_eq!(text.lines().count(), with_links.lines().count());
}

/// A cause that is told by cycles has links as well.
#[test]
fn a_cause_that_names_cycles_has_links() {
    let mut story = auth_broken_story();
    story.findings.clusters[0].because = "it fails since cycle 5".to_owned();
    let with_links = linked(&document(&story, None), |cycle| format!("/p/{cycle}"), |_| None);
    assert!(with_links.contains("it fails since [cycle 5](/p/5) |"), "{with_links}");
}
