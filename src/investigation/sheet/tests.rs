//! What is filled into a form, and what stays.

#![allow(clippy::unwrap_used)]
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::investigation::{Answer, parse};

const DOCUMENT: &str = "\
<!-- andon:investigation id=INV-0001 fingerprint=v1-aa state=new opened=1 reopened=- gone=- -->

<!-- andon:begin head lines=- -->
# INV-0001: it fails
<!-- andon:end head -->

a word of a person

<!-- andon:begin why-2 lines=- -->
### Why 2. Why does it fail?

*Look at: the log.*
<!-- andon:end why-2 -->

- Claim:
  - Evidence:
  - Confidence (seen, likely, guess):
  - Would be false if:

<!-- andon:begin why-3 lines=- -->
### Why 3. What leads to that?
<!-- andon:end why-3 -->

It was the factory.
* **Claim:** no tenant
  and nobody checks
    - Evidence: auth.log
    - Evidence: its end
  - Confidence: Likely, I think

<!-- andon:begin countermeasures lines=- -->
## Countermeasures
<!-- andon:end countermeasures -->
we should
| Owner | What | When |
|---|---|---|
| lin | contract \\| test | soon | more |
after it
<!-- andon:begin notes lines=- -->
## Notes
<!-- andon:end notes -->
";

fn filled(text: &str, given: &[(&str, &str)]) -> String {
    let given: HashMap<&str, &str> = given.iter().copied().collect();
    Sheet::of(text).unwrap().filled(|name| given.get(name).map(|text| (*text).to_owned()))
}

/// What a browser sends of a form that nobody filled in.
fn as_it_is(text: &str) -> String {
    let sheet = Sheet::of(text).unwrap();
    let answers = sheet.whys().into_iter().flat_map(|why| why.answers).flatten();
    let rows = sheet.actions().into_iter().flat_map(|actions| actions.rows).flatten();
    let fields: HashMap<String, String> = answers
        .chain(rows)
        .chain(sheet.notes())
        .map(|field| (field.name, field.value.replace('\n', "\r\n")))
        .collect();
    sheet.filled(|name| fields.get(name).cloned())
}

#[test]
fn a_document_is_read_into_fields() {
    let sheet = Sheet::of(DOCUMENT).unwrap();
    let whys = sheet.whys();
    assert_eq!(whys[0].question, "Why 2. Why does it fail?");
    assert_eq!(whys[0].look_at.as_deref(), Some("the log"));
    let values = |answer: &Vec<Field>| -> Vec<String> {
        answer.iter().map(|field| field.value.clone()).collect()
    };
    assert_eq!(values(&whys[0].answers[0]), ["", "", "", ""], "the empty form is the one more");
    assert_eq!((whys[0].answers.len(), whys[1].answers.len()), (1, 3));
    let second = values(&whys[1].answers[1]);
    assert_eq!(
        second,
        ["no tenant\nand nobody checks", "auth.log\nits end", "Likely, I think", ""]
    );
    let rows = sheet.actions().unwrap().rows;
    let labels: Vec<&str> = rows[0].iter().map(|field| field.label.as_str()).collect();
    assert_eq!((labels, rows.len()), (vec!["Owner", "What", "When"], 2));
    assert_eq!(values(&rows[0]), ["lin", "contract | test", "soon"]);
    assert_eq!(sheet.notes().unwrap().value, "");
    for damaged in [
        DOCUMENT.replace("<!-- andon:end why-3 -->\n", ""),
        DOCUMENT.replace("<!-- andon:end why-3 -->", "x <!-- andon:end why-3 -->"),
        format!("{DOCUMENT}<!-- andon:begin notes lines=- -->\n<!-- andon:end notes -->\n"),
        "words".to_owned(),
    ] {
        assert!(Sheet::of(&damaged).is_none(), "{damaged}");
    }
}

#[test]
fn what_is_filled_in_changes_its_lines_and_no_other() {
    for (given, from, to) in [
        (
            vec![("why-2-0-claim", "the cache\r\nis cold"), ("why-2-0-confidence", "seen")],
            "- Claim:\n  - Evidence:\n  - Confidence (seen, likely, guess):\n",
            "- Claim: the cache\n  is cold\n  - Evidence:\n  - Confidence (seen, likely, guess): seen\n",
        ),
        (vec![("why-3-0-claim", "")], "It was the factory.\n", ""),
        (
            vec![("why-3-1-claim", "no tenant"), ("why-3-1-disproof", "a tenant is there")],
            "* **Claim:** no tenant\n  and nobody checks\n",
            "* **Claim:** no tenant\n",
        ),
        (
            vec![("why-3-1-evidence", "one line")],
            "    - Evidence: auth.log\n    - Evidence: its end\n",
            "    - Evidence: one line\n",
        ),
        (
            vec![("why-3-2-claim", "a branch"), ("why-3-2-evidence", "")],
            "Likely, I think\n",
            "Likely, I think\n\n- Claim: a branch\n  - Evidence:\n  - Confidence (seen, likely, guess):\n  - Would be false if:\n",
        ),
        (
            vec![("measure-0-2", "2026|12\r\n31")],
            "| lin | contract \\| test | soon | more |",
            "| lin | contract \\| test | 2026\\|12 31 | more |",
        ),
        (vec![("measure-1-1", "an alarm")], " more |\n", " more |\n| | an alarm | |\n"),
        (
            vec![("notes", "one\r\n\r\ntwo <!-- andon:end notes -->\r\n")],
            "<!-- andon:end notes -->\n",
            "<!-- andon:end notes -->\n\none\n\ntwo <!-- andon :end notes -->\n",
        ),
    ] {
        let mut expected = DOCUMENT.replacen(from, to, 1);
        if given.iter().any(|(name, _)| *name == "why-3-1-disproof") {
            let sure = "  - Confidence: Likely, I think\n";
            let more = format!("{sure}  - Would be false if: a tenant is there\n");
            expected = expected.replacen(sure, &more, 1);
        }
        assert_ne!(expected, DOCUMENT);
        assert_eq!(filled(DOCUMENT, &given), expected, "{given:?}");
        let crlf = filled(&DOCUMENT.replace('\n', "\r\n"), &given);
        assert_eq!(crlf, expected.replace('\n', "\r\n"), "{given:?}");
    }
}

#[test]
fn what_is_filled_in_is_read_back() {
    let given = [
        ("why-2-0-claim", "a claim\nin two lines"),
        ("why-2-0-evidence", "shown"),
        ("measure-1-0", "ada"),
        ("measure-1-1", "an alarm"),
    ];
    let text = filled(DOCUMENT, &given);
    assert_eq!(as_it_is(&text), text);
    let told = parse(&text);
    let answers = answers::answers(told.human_lines(Slot::Why(2)));
    let texts: Vec<String> = answers.iter().map(Answer::text).collect();
    assert_eq!(texts, ["a claim\nin two lines (evidence: shown)"]);
    let (measures, other) = answers::countermeasures(told.human_lines(Slot::Actions));
    let last = measures.last().unwrap();
    assert_eq!((last.owner.as_str(), last.what.as_str()), ("ada", "an alarm"));
    assert_eq!(other, ["we should", "after it"]);
}

#[test]
fn a_table_is_made_where_there_is_none() {
    let bare = "<!-- andon:begin why-2 lines=- -->\n### Why 2. Why?\n<!-- andon:end why-2 -->\n<!-- andon:begin countermeasures lines=- -->\n<!-- andon:end countermeasures -->";
    let text = filled(bare, &[("measure-0-0", "an alarm"), ("why-2-0-claim", "x")]);
    let told = parse(&text);
    assert!(
        text.contains("| an alarm | | | | | | |\n") || text.ends_with("| an alarm | | | | | | |"),
        "{text}"
    );
    assert_eq!(told.human_lines(Slot::Actions).len(), 3, "{text}");
    assert_eq!(as_it_is(&text), text);
}

proptest! {
    /// Whatever people wrote, a form that nobody filled in changes nothing.
    #[test]
    fn an_empty_edit_is_none(lines in proptest::collection::vec(
        prop_oneof![
            Just("- Claim: a"), Just("Claim:"), Just("  - Evidence: b"), Just("words"), Just(""),
            Just("| What | Owner |"), Just("|---|---|"), Just("| x | |"), Just("| | |"), Just("| a"),
            Just("* **Claim:** **b**"), Just("  - Confidence: sure"), Just("\tx: y"), Just("# h"),
        ], 0..12), crlf in any::<bool>())
    {
        let people = lines.join("\n");
        let text = DOCUMENT
            .replace("<!-- andon:end why-2 -->\n", &format!("<!-- andon:end why-2 -->\n{people}\n"))
            .replace("we should\n", &format!("{people}\n"))
            .replace("<!-- andon:end notes -->\n", &format!("<!-- andon:end notes -->\n{people}"));
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        prop_assert_eq!(as_it_is(&text), text);
    }

    /// What is filled into one field is there, and every line that was not of the field.
    #[test]
    fn nothing_of_others_is_lost(claim in "[a-c|:*\\- \n]{0,20}", which in 0..3usize) {
        let name = ["why-2-0-claim", "why-3-1-evidence", "why-3-2-claim"][which];
        let text = filled(DOCUMENT, &[(name, &claim)]);
        for line in DOCUMENT.lines().filter(|line| !line.contains("Evidence") && !line.contains("Claim")) {
            prop_assert!(text.lines().any(|other| other == line), "{:?} in {}", line, text);
        }
        for line in claim.lines().map(str::trim).filter(|line| !line.is_empty()) {
            prop_assert!(text.contains(line), "{:?} in {}", line, text);
        }
        prop_assert!(Sheet::of(&text).is_some());
    }
}
