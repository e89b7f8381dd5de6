//! Text from outside never drives a terminal, and never becomes Markdown: commits, branches, case
//! names, answers, logs.

use std::fs;

use super::stage::{PIPELINE, Stage};

/// Control sequences of both kinds, a title, a clipboard, direction marks, line breaks, markup.
const EVIL: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;eA==\u{7}\u{9b}31m\u{202e}evil\u{2066}\
                    <img src=x onerror=alert(1)> `code` [link](javascript:x) @everyone";

/// Whether a text holds anything that is not simply seen.
fn drives_a_terminal(text: &str) -> Option<char> {
    text.chars().find(|&c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}')
    })
}

#[track_caller]
fn is_harmless(what: &str, text: &str) {
    if let Some(c) = drives_a_terminal(text) {
        panic!("{what} holds {c:?}:\n{text:?}");
    }
}

/// A stage on which everything that can be hostile is.
fn stage() -> Stage {
    let stage = Stage::empty();
    let yaml_name: String = EVIL
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_ascii() && !c.is_control() => c.to_string(),
            c => format!("\\U{:08X}", c as u32),
        })
        .collect();
    let steps = "steps: [{ http: { url: \"${base}/chat\" }, expect: { status: 200 } }]";
    let hostile = format!(
        "steps: [{{ name: \"{yaml_name}\", http: {{ url: \"${{base}}/chat\" }}, \
         expect: {{ status: 200, body: quiet }} }}]"
    );
    let pipeline = PIPELINE
        .replace(steps, &hostile)
        .replace("name: Chat answers", &format!("name: \"{yaml_name}\""))
        .replace("area: Chat", &format!("area: \"{yaml_name}\""))
        .replace("echo \"deploying", "cat chat; echo \"deploying");
    stage.write_pipeline("small", &pipeline);
    let body = format!("{EVIL}\r\n{EVIL}\n```\n# Heading\n");
    let sha = stage.commit_by(
        "Eve \u{1b}[31m\u{202e}`b` @everyone",
        &format!("{EVIL} subject"),
        &[("health", Some("ok")), ("chat", Some(&body)), ("chat.status", Some("500"))],
    );
    stage.branch("evil\u{202e}`branch`<b>", &sha);
    stage
}

/// RELIABILITY D7.
#[test]
fn nothing_from_outside_drives_a_terminal() {
    let stage = stage();
    let branch = "evil\u{202e}`branch`<b>";
    let ran = stage.andon(&["-v", "run", "small", "--revision", branch]).ends(1);
    is_harmless("run", &ran.out);
    is_harmless("what run says", &ran.err);
    let chat = format!("http://{}/chat", stage.address());
    let asked: &[&[&str]] = &[
        &["show", "small"],
        &["show", "small", "--json"],
        &["cycles", "small"],
        &["cycles", "small", "--json"],
        &["case", "small", "test_002_chat", "--json"],
        &["case", "small", EVIL],
        &["list"],
        &["list", "--json"],
        &["whys", "show", "INV-0001"],
        &["whys", "show", "INV-0001", "--json"],
        &["report", "small"],
        &["report", "small", "--json"],
        &["check", "--json"],
        &["check"],
        &["probe", &chat],
        &["probe", &chat, "--json"],
        &["run", "small", "--json"],
        &["run", "small", "--revision", "\u{1b}]0;x\u{7}"],
        &["run", "small", "--only", EVIL],
        &["show", EVIL],
        &["logs", "small", "--phase", EVIL],
        &["whys", "show", EVIL],
    ];
    for args in asked {
        let did = stage.andon(args);
        assert!([0, 1, 2].contains(&did.code), "{args:?}: {did:?}");
        is_harmless(&format!("{args:?}"), &did.out);
        is_harmless(&format!("what {args:?} says"), &did.err);
    }
}

/// A stage whose suite is another tool, which writes hostile names and messages in two formats.
fn stage_of_a_tool() -> Stage {
    let stage = Stage::empty();
    let (before, _) = PIPELINE.split_once("  cases:").unwrap();
    let copy = "  commands:\n    - { name: tool, run: 'cat junit.xml; cp junit.xml ctrf.json \"$ANDON_RESULTS\"' }\n";
    stage.write_pipeline("small", &format!("{before}{copy}"));
    let xml = EVIL.replace('<', "&lt;");
    let junit = format!(
        "<testsuite name=\"{xml}\"><testcase classname=\"{xml}\" name=\"{xml}\" file=\"{xml}\">\
         <failure message=\"{xml}\" type=\"{xml}\">{xml}\n```\n# Heading</failure></testcase>\
         <testcase name=\"skipped {xml}\"><skipped message=\"{xml}\"/></testcase></testsuite>"
    );
    let test = |status: &str| {
        serde_json::json!({
            "name": format!("{status} {EVIL}"), "suite": EVIL, "status": status, "duration": 3,
            "message": EVIL, "trace": format!("{EVIL}\n```\n# Heading"), "filePath": EVIL,
        })
    };
    let tests = [test("passed"), test("failed")];
    let ctrf = serde_json::json!({
        "results": { "tool": { "name": EVIL }, "summary": {}, "tests": tests },
    });
    let files = [("junit.xml", Some(&*junit)), ("ctrf.json", Some(&ctrf.to_string()))];
    stage.commit("From another tool", &files);
    stage
}

/// RELIABILITY D7, where the names come out of result files.
#[test]
fn nothing_from_a_result_file_drives_a_terminal() {
    let stage = stage_of_a_tool();
    let ran = stage.andon(&["-v", "run", "small"]).ends(1);
    is_harmless("run", &ran.out);
    is_harmless("what run says", &ran.err);
    stage.andon(&["run", "small"]).ends(1);
    let newest = stage.newest();
    let ids: Vec<&str> = newest["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    let folder = stage.path().join("chat").display().to_string();
    let mut asked: Vec<Vec<&str>> = [
        &["show", "small"][..],
        &["show", "small", "--json"],
        &["diff", "small", "1", "2"],
        &["diff", "small", "1", "2", "--json"],
        &["list", "--json"],
        &["whys", "show", "INV-0001"],
        &["report", "small"],
        &["report", "small", "--json"],
        &["cycles", "small", "--json"],
        &["ingest", &folder],
        &["ingest", &folder, "--json"],
        &["compare", &folder, &folder],
        &["compare", &folder, &folder, "--json"],
        &["compare", &folder, &folder, "--markdown"],
    ]
    .map(<[_]>::to_vec)
    .to_vec();
    for id in ids {
        asked.push(vec!["case", "small", id]);
        asked.push(vec!["case", "small", id, "--json"]);
    }
    let written = stage.path().join("reports/small/cycle-0001.junit.xml").display().to_string();
    asked.push(vec!["ingest", &written]);
    asked.push(vec!["compare", &written, &folder]);
    for args in asked {
        let did = stage.andon(&args);
        assert!([0, 1].contains(&did.code), "{args:?}: {did:?}");
        is_harmless(&format!("{args:?}"), &did.out);
        is_harmless(&format!("what {args:?} says"), &did.err);
    }
}

#[test]
fn nothing_from_a_result_file_becomes_markup() {
    let stage = stage_of_a_tool();
    stage.andon(&["run", "small"]).ends(1);
    no_page_holds_markup(&stage);
    let beside = |kind: &str| stage.path().join("reports/small/cycle-0001").with_extension(kind);
    for kind in ["json", "junit.xml"] {
        is_harmless(kind, &fs::read_to_string(beside(kind)).unwrap());
    }
    let json = fs::read_to_string(beside("json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), stage.newest());
    let again = stage.andon(&["ingest", &beside("junit.xml").display().to_string(), "--json"]);
    assert!(again.ends(1).out.contains("\\u202eevil\\u2066"), "the names are the same");
}

#[test]
fn a_log_goes_into_a_file_as_it_is() {
    let stage = stage();
    stage.andon(&["run", "small"]).ends(1);
    let log = stage.andon(&["logs", "small"]).ends(0).out;
    assert!(log.contains(EVIL), "{log:?}");
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let stage = stage();
    stage.andon(&["run", "small"]).ends(1);
    no_page_holds_markup(&stage);
}

/// No page of the reports has markup from outside, or drives a terminal.
fn no_page_holds_markup(stage: &Stage) {
    let mut pages = vec![];
    let mut open = vec![stage.path().join("reports")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            match path.extension().and_then(|e| e.to_str()) {
                None => open.push(path),
                Some("md") => pages.push(path),
                Some(_) => {}
            }
        }
    }
    assert!(pages.len() >= 4, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        is_harmless(&page.display().to_string(), &text);
        let mut html = String::new();
        let options = pulldown_cmark::Options::all();
        pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(&text, options));
        for mark in ["<img src=x", "href=\"javascript", "<h1>Heading", "<b>"] {
            assert!(!html.contains(mark), "{mark} in {}:\n{html}", page.display());
        }
    }
}
