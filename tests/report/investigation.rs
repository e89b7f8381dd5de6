//! Five-whys documents under the hands of people.

use andon::domain::claim::{ClaimResult, ClaimSource, FixClaim};
use andon::domain::findings::InvestigationState;
use andon::domain::revision::Sha;
use andon::engine::known_of;
use andon::investigation::{self, Closing, Facts, Known, Slot};
use andon::store::InvestigationRow;
use proptest::prelude::*;

use crate::cycles::Story;
use crate::golden::compare;
use crate::stories::{auth_broken_story, closed_document, document, facts};

#[test]
fn a_new_document_reads_well() {
    let story = auth_broken_story();
    compare("investigation-new.md", &document(&story, None));
    let reopened = document(&story, Some(&closed_document(&story)));
    compare("investigation-reopened.md", &reopened);
}

#[test]
fn renewing_a_document_twice_changes_nothing() {
    let story = auth_broken_story();
    let once = document(&story, None);
    assert_eq!(document(&story, Some(&once)), once);
    let written = closed_document(&story);
    let once = document(&story, Some(&written));
    assert_eq!(document(&story, Some(&once)), once);
}

#[test]
fn answers_and_states_are_read_back() {
    let story = auth_broken_story();
    let fresh = investigation::update(None, &facts(&story, 0));
    assert_eq!(fresh.snapshot.state, InvestigationState::New);
    assert!(fresh.warnings.is_empty());
    assert!(fresh.snapshot.whys.iter().all(|why| why.answers.is_empty()));
    let written = fresh.text.replacen("- Claim:", "- Claim: no tenant", 1);
    let again = investigation::update(Some(&written), &facts(&story, 0));
    assert_eq!(again.snapshot.state, InvestigationState::Analysed);
    assert_eq!(again.snapshot.whys[1].answers, ["no tenant"]);
    let closing = Closing { by: "ada", on: "2026-11-24".parse().unwrap(), reason: Some("done") };
    let closed = investigation::close(&again.text, &closing).unwrap();
    assert_eq!(investigation::parse(&closed).meta.unwrap().state, InvestigationState::Closed);
    assert!(closed.contains("Closed by ada on 2026-11-24: done"));
    assert_eq!(investigation::close(&closed, &closing), None);
    let back = investigation::update(Some(&closed), &facts(&story, 0));
    assert_eq!(back.snapshot.state, InvestigationState::Reopened);
    assert_eq!(back.snapshot.reopened_in, Some(7));
    assert_eq!(back.snapshot.whys[1].answers, ["no tenant"]);
    assert_eq!(back.snapshot.whys.last().unwrap().number, 7, "asks why it came back");
}

#[test]
fn a_failure_that_passed_and_came_back_is_reopened() {
    let story = auth_broken_story();
    let text = document(&story, None);
    let gone = investigation::mark_gone(&text, 8).unwrap();
    assert!(gone.contains("gone from cycle 8 on"));
    assert_eq!(investigation::mark_gone(&gone, 9), None);
    // What is not written anew stays as it was, blank lines too: a paragraph behind a table is no row of it.
    assert!(gone.contains("ms |\n\nRepeat by hand:\n\n```sh"), "{gone}");
    assert!(gone.contains("## What was seen\n\n| | |"), "{gone}");
    let back = investigation::update(Some(&gone), &facts(&story, 0));
    assert_eq!(back.snapshot.state, InvestigationState::Reopened);
    // Its file was emptied in between: then the records say that it had passed.
    let known = Known { is_back: true, ..Known::NOTHING };
    let emptied = investigation::update(Some(" \n"), &Facts { known, ..facts(&story, 0) });
    assert_eq!(emptied.snapshot.state, InvestigationState::Reopened);
    assert_eq!(emptied.snapshot.reopened_in, Some(7));
    let kept = investigation::update(Some(&text), &Facts { known, ..facts(&story, 0) });
    assert_eq!(kept.snapshot.state, InvestigationState::New, "a document says itself what it was");
}

/// The comment that says what a document is was taken away by hand, and put back: what it said of a failure
/// that is gone is known all the same, by the state in words or by an older text.
#[test]
fn a_document_that_was_put_together_again_knows_that_its_failure_is_gone() {
    let story = auth_broken_story();
    let gone = investigation::mark_gone(&document(&story, None), 8).unwrap();
    let (_, bare) = gone.split_once('\n').unwrap();
    let reworded = bare.replacen("gone from cycle 8 on", "not there", 1);
    let row = |last_seen| InvestigationRow {
        pipeline: story.state.queued.pipeline.clone(),
        id: facts(&story, 0).id.clone(),
        fingerprint: story.findings.clusters[0].fingerprint.clone(),
        slug: "socket-closed-1008".to_owned(),
        state: InvestigationState::Analysed,
        opened_in: 7,
        reopened_in: None,
        last_seen,
    };
    for (broken, texts) in [(bare, &[bare][..]), (&reworded, &[&reworded, &gone])] {
        let mended = investigation::mend(broken, &gone, &known_of(&row(7), texts)).unwrap().text;
        assert!(mended.contains("state=analysed") && mended.contains("gone=8"), "{mended}");
        assert_eq!(investigation::mark_gone(&mended, 9), None, "it was gone before");
        let back = investigation::update(Some(&mended), &facts(&story, 0));
        assert_eq!(back.snapshot.state, InvestigationState::Reopened);
        // A later cycle concerned it: then nothing is known.
        assert_eq!(known_of(&row(9), texts).gone, None);
    }
}

/// What is kept of a document says what people wrote, whatever the tool writes anew around it.
#[test]
fn an_abridged_document_holds_what_people_wrote() {
    let story = auth_broken_story();
    let fresh = document(&story, None);
    assert!(investigation::written_in(&fresh).is_empty(), "an empty form is nobody's words");
    let text = fresh.replacen("- Claim:", "- Claim: no tenant", 1);
    let inside = text.replacen("## Occurrences", "## Occurrences\nseen in March, too", 1);
    let text = format!("Above all.\n\n{inside}\nA note <!-- andon:end notes --> more.\n");
    let later = investigation::mark_gone(&text, 8).unwrap();
    for text in [&text, &later] {
        let short = investigation::abridged(text);
        assert!(short.len() < text.len(), "{short}");
        assert_eq!(investigation::meta_of(&short), investigation::meta_of(text));
        for words in ["Above all.", "- Claim: no tenant", "seen in March, too", "A note", "more."] {
            assert_eq!(short.matches(words).count(), 1, "{words}: {short}");
        }
        assert_eq!(investigation::abridged(&short), short);
        assert_eq!(investigation::written_in(&short), investigation::written_in(&later));
    }
}

#[test]
fn claims_of_a_document_outlive_the_records() {
    let story = auth_broken_story();
    let claims = claims();
    let known = Known { claims: &claims, ..Known::NOTHING };
    let first = investigation::update(None, &Facts { known, ..facts(&story, 0) });
    assert_eq!(first.snapshot.state, InvestigationState::FixClaimed);
    // The state folder is new: the document alone has them, and its state.
    let alone = investigation::update(Some(&first.text), &facts(&story, 0));
    assert_eq!(alone.snapshot.state, InvestigationState::FixClaimed);
    let read: Vec<_> = alone.snapshot.claims.iter().map(|claim| claim.result).collect();
    assert_eq!(read, [ClaimResult::Failed { cycle: 6 }, ClaimResult::Open]);
    // A row that a person changed is theirs, and claims nothing.
    let edited = first.text.replacen("| failed in cycle 6 |", "| verified in cycle 6 |", 1);
    let edited = investigation::update(Some(&edited), &facts(&story, 0));
    assert_eq!(edited.snapshot.claims.len(), 1);
    assert!(edited.snapshot.notes.iter().any(|note| note.contains("verified in cycle 6")));
}

#[test]
fn what_is_overdue_is_read_from_a_document() {
    let story = auth_broken_story();
    let rows = [
        "| Alert on it | detect | lin | 2026-11-20 | P2 | | test_001 |",
        "| Done | detect | lin | 2026-11-20 | P2 | 4f1c2aa | test_001 |",
        "| Later | detect | lin | 2026-11-24 | P2 | | test_001 |",
        "| Some day | detect | lin | soon | P2 | | test_001 |",
    ];
    let text = document(&story, None).replacen("| | | | | | | |", &rows.join("\n"), 1);
    let overdue = investigation::overdue(&text, "2026-11-24".parse().unwrap());
    assert_eq!(overdue.iter().map(|m| m.what.as_str()).collect::<Vec<_>>(), ["Alert on it"]);
    assert!(investigation::overdue("no document", "2026-11-24".parse().unwrap()).is_empty());
}

/// What an editor does that formats Markdown when it saves: lines filled at 80 columns, tables padded, blank
/// lines around blocks, emphasis by underscores.
fn formatted(text: &str) -> String {
    let (mut out, mut is_code) = (Vec::new(), false);
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        match line {
            line if is_code || line.starts_with("<!--") => out.push(line.to_owned()),
            line if line.starts_with('|') => {
                let cell = |cell: &str| match cell.trim() {
                    "---" => " ------- ".to_owned(),
                    cell => format!(" {cell:<16} "),
                };
                let inner = line.trim_matches('|').split('|').map(cell);
                out.push(format!("|{}|", inner.collect::<Vec<_>>().join("|")));
            }
            line if line.starts_with('#') => {
                out.extend([String::new(), line.to_owned(), String::new()])
            }
            line => {
                let emphasised = line.strip_prefix('*').and_then(|rest| rest.strip_suffix('*'));
                let line = match emphasised.filter(|inner| !inner.contains('*')) {
                    Some(inner) => format!("_{inner}_"),
                    None => line.to_owned(),
                };
                let (mut filled, indent) =
                    (String::new(), if line.starts_with("- ") { "  " } else { "" });
                for word in line.split_inclusive(' ') {
                    if filled.len() + word.trim_end().len() > 80 {
                        out.push(filled.trim_end().to_owned());
                        filled = indent.to_owned();
                    }
                    filled.push_str(word);
                }
                out.push(filled.trim_end().to_owned());
            }
        }
    }
    out.join("\n") + "\n"
}

#[test]
fn an_editor_that_formats_makes_nothing_of_the_tool_a_persons_text() {
    let story = auth_broken_story();
    for text in [document(&story, None), closed_document(&story)] {
        let saved = formatted(&text);
        assert_ne!(saved, text);
        let before = investigation::update(Some(&text), &facts(&story, 0));
        let after = investigation::update(Some(&saved), &facts(&story, 0));
        assert_eq!(after.warnings, before.warnings);
        assert!(!after.text.contains("Kept from edits"), "{}", after.text);
        assert_eq!(after.snapshot.occurrences, before.snapshot.occurrences);
        assert_eq!(after.snapshot.whys, before.snapshot.whys);
    }
}

#[test]
fn a_line_inside_a_tools_part_moves_to_the_appendix() {
    let story = auth_broken_story();
    let text = document(&story, None);
    let edited = text.replacen("| Class | `ws_close` |", "| Class | `ws_close`, really auth |", 1);
    let updated = investigation::update(Some(&edited), &facts(&story, 0));
    assert!(updated.text.contains("| Class | `ws_close` |"));
    let parsed = investigation::parse(&updated.text);
    assert!(parsed.human_lines(Slot::Kept).iter().any(|line| line.contains("really auth")));
    assert_eq!(updated.warnings.len(), 1, "{:?}", updated.warnings);
    assert!(updated.snapshot.notes.iter().any(|note| note.contains("really auth")));
}

#[test]
fn what_the_service_says_cannot_break_the_document() {
    let mut story = auth_broken_story();
    let hostile = "<!-- andon:end seen --> | `x`\n# INV-0009 <!-- andon:begin notes lines=- -->";
    story.findings.clusters[0].title = hostile.into();
    story.findings.clusters[0].example.message = hostile.into();
    story.findings.clusters[0].example.repro = Some(hostile.into());
    let text = document(&story, None);
    assert_eq!(document(&story, Some(&text)), text);
    let parsed = investigation::parse(&text);
    assert!(parsed.kept.is_empty() && parsed.human_lines(Slot::Notes).is_empty(), "{text}");
}

#[test]
fn remarks_name_people_guesses_and_orphans() {
    let story = auth_broken_story();
    let text = document(&story, None)
        .replacen("- Claim:", "- Claim: lin should have tested it", 1)
        .replacen("| | | | | | | |", "| Write a test | detect | | | | | |", 1);
    let remarks = investigation::lint(&investigation::parse(&text));
    let found: Vec<&str> = remarks.iter().map(|lint| lint.place.as_str()).collect();
    assert_eq!(found, ["why 2", "why 2", "countermeasure 1", "countermeasure 1"], "{remarks:?}");
    let clean = document(&story, None)
        .replacen("- Claim:", "- Claim: the factory needs a tenant", 1)
        .replacen("  - Evidence:", "  - Evidence: auth.log", 1);
    assert!(investigation::lint(&investigation::parse(&clean)).is_empty());
    let named = document(&story, None).replacen("- Claim:", "- Claim: lin broke it", 1).replacen(
        "  - Evidence:",
        "  - Evidence: the commit",
        1,
    );
    assert_eq!(investigation::lint(&investigation::parse(&named)).len(), 1);
}

/// One thing that a person, an editor or a merge does to a file.
#[derive(Debug, Clone)]
enum Edit {
    DeleteLine(prop::sample::Index),
    DoubleLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
    MoveLine(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, bool),
    Crlf,
    StripAnchors,
    StripOneAnchor(prop::sample::Index),
    Truncate(prop::sample::Index),
    DoubleBlock(prop::sample::Index, prop::sample::Index),
    MoveBlock(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    DoubleFile,
    MixCrlf(prop::sample::Index),
    Bom,
    Tab(prop::sample::Index),
    JoinLines(prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => index().prop_map(Edit::DeleteLine),
        2 => index().prop_map(Edit::DoubleLine),
        2 => (index(), index()).prop_map(|(a, b)| Edit::SwapLines(a, b)),
        1 => (index(), index()).prop_map(|(a, b)| Edit::MoveLine(a, b)),
        6 => (index(), any::<bool>()).prop_map(|(at, line)| Edit::Insert(at, line)),
        1 => Just(Edit::Crlf),
        1 => Just(Edit::StripAnchors),
        2 => index().prop_map(Edit::StripOneAnchor),
        1 => index().prop_map(Edit::Truncate),
        1 => (index(), index()).prop_map(|(a, b)| Edit::DoubleBlock(a, b)),
        2 => (index(), index(), index()).prop_map(|(a, b, to)| Edit::MoveBlock(a, b, to)),
        1 => Just(Edit::DoubleFile),
        1 => index().prop_map(Edit::MixCrlf),
        1 => Just(Edit::Bom),
        2 => index().prop_map(Edit::Tab),
        1 => index().prop_map(Edit::JoinLines),
    ]
}

fn on_lines(text: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    change(&mut lines);
    lines.join("\n")
}

fn apply(text: &str, edit: &Edit, token: &str) -> String {
    match edit {
        Edit::DeleteLine(at) => on_lines(text, |lines| {
            lines.remove(at.index(lines.len()));
        }),
        Edit::DoubleLine(at) => on_lines(text, |lines| {
            let at = at.index(lines.len());
            lines.insert(at, lines[at].clone());
        }),
        Edit::SwapLines(a, b) => on_lines(text, |lines| {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }),
        Edit::MoveLine(a, b) => on_lines(text, |lines| {
            let line = lines.remove(a.index(lines.len()));
            let to = b.index(lines.len() + 1);
            lines.insert(to, line);
        }),
        Edit::Insert(at, true) => {
            on_lines(text, |lines| lines.insert(at.index(lines.len()), token.to_owned()))
        }
        Edit::Insert(at, false) => {
            let places: Vec<usize> =
                text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut text = text.to_owned();
            text.insert_str(places[at.index(places.len())], token);
            text
        }
        Edit::Crlf => text.replace("\r\n", "\n").replace('\n', "\r\n"),
        Edit::StripAnchors => {
            on_lines(text, |lines| lines.retain(|line| !line.starts_with("<!-- andon:")))
        }
        Edit::StripOneAnchor(at) => on_lines(text, |lines| {
            let anchors: Vec<usize> =
                (0..lines.len()).filter(|&l| lines[l].starts_with("<!-- andon:")).collect();
            if !anchors.is_empty() {
                lines.remove(anchors[at.index(anchors.len())]);
            }
        }),
        Edit::Truncate(at) => on_lines(text, |lines| lines.truncate(1 + at.index(lines.len()))),
        Edit::DoubleBlock(a, b) => on_lines(text, |lines| {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            let block = lines[a.min(b)..=a.max(b)].to_vec();
            lines.extend(block);
        }),
        Edit::MoveBlock(a, b, to) => on_lines(text, |lines| {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            let block: Vec<String> = lines.drain(a.min(b)..=a.max(b)).collect();
            let to = to.index(lines.len() + 1);
            lines.splice(to..to, block);
        }),
        Edit::DoubleFile => format!("{text}\n{text}"),
        Edit::MixCrlf(from) => on_lines(text, |lines| {
            let from = from.index(lines.len());
            lines[from..].iter_mut().step_by(2).for_each(|line| line.push('\r'));
        }),
        Edit::Bom => format!("\u{feff}{text}"),
        Edit::Tab(at) => on_lines(text, |lines| {
            let at = at.index(lines.len());
            lines[at].insert(0, '\t');
        }),
        Edit::JoinLines(at) => on_lines(text, |lines| {
            let at = at.index(lines.len());
            if at + 1 < lines.len() {
                let next = lines.remove(at + 1);
                lines[at].push_str(&next);
            }
        }),
    }
}

/// What a person wrote, in letters of many kinds.
fn token(number: usize) -> String {
    match number % 3 {
        0 => format!("KEEPxx{number}xx"),
        1 => format!("KEEP\u{e9}\u{6f22}{number}\u{1f642}xx"),
        _ => format!("KEEP e\u{301} \u{202e}{number}\u{200d}|xx"),
    }
}

fn claims() -> Vec<FixClaim> {
    let claim = |digit: &str, source, result| {
        let commit = Sha::parse(&digit.repeat(40)).unwrap();
        let at = "2026-11-22T10:00:00Z".parse().unwrap();
        FixClaim { result, ..FixClaim::new(commit, "Try | *this*", "Ada Brandt", at, source) }
    };
    vec![
        claim("a", ClaimSource::Trailer, ClaimResult::Failed { cycle: 6 }),
        claim("b", ClaimSource::Command, ClaimResult::Open),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// Whatever is done to the file, every word that a person added and did not delete again is in
    /// the renewed document, and renewing it once more changes nothing.
    #[test]
    fn nothing_that_people_wrote_is_lost(edits in prop::collection::vec(edit(), 1..9), kind in 0..3) {
        let story = auth_broken_story();
        let claims = if kind == 2 { claims() } else { Vec::new() };
        let renew = |story: &Story, text: Option<&str>| {
            let known = Known { claims: &claims, ..Known::NOTHING };
            investigation::update(text, &Facts { known, ..facts(story, 0) }).text
        };
        let mut text = if kind == 1 { closed_document(&story) } else { renew(&story, None) };
        for (number, edit) in edits.iter().enumerate() {
            text = apply(&text, edit, &token(number));
        }
        let once = renew(&story, Some(&text));
        for number in 0..edits.len() {
            let token = token(number);
            if text.contains(&token) {
                prop_assert!(once.contains(&token), "{} was lost from\n{}\n---\n{}", token, text, once);
            }
        }
        for claim in &claims {
            prop_assert!(once.contains(claim.commit.as_str()), "a claim was lost from\n{}", once);
        }
        let twice = renew(&story, Some(&once));
        prop_assert!(
            once == twice,
            "not stable:\n{}",
            similar::TextDiff::from_lines(once.as_str(), twice.as_str()).unified_diff()
        );
        // A later cycle with other facts loses nothing either.
        let mut later = auth_broken_story();
        later.state.queued.cycle = 8;
        later.findings.clusters[0].example.message = "closed with 1011".into();
        let next = renew(&later, Some(&once));
        for number in 0..edits.len() {
            let token = token(number);
            prop_assert!(!once.contains(&token) || next.contains(&token), "{} was lost later", token);
        }
    }
}
