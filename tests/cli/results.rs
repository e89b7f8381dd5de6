//! `ingest` and `compare`: result files of other tools, without any pipeline.

use std::fs;
use std::path::Path;

use super::stage::Stage;

/// A suite of that many cases; `failing` of them fail.
fn junit(cases: usize, failing: &[usize]) -> String {
    let mut text = String::from("<testsuite name=\"pytest\">\n");
    for case in 0..cases {
        text.push_str(&format!(
            "<testcase classname=\"tests.cart\" name=\"case {case}\" time=\"0.01\">"
        ));
        if failing.contains(&case) {
            text.push_str(
                "<failure message=\"expected @team &lt;b&gt; | `x`\">at line 1</failure>",
            );
        }
        text.push_str("</testcase>\n");
    }
    text + "</testsuite>\n"
}

fn write(stage: &Stage, name: &str, text: &str) {
    let file = stage.path().join(name);
    fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn ingest_shows_what_stands_in_files_and_folders() {
    let stage = Stage::empty();
    write(&stage, "results/a.xml", &junit(3, &[1]));
    write(&stage, "results/deep/b.tap", "1..1\nok 1 - fine\n");
    write(&stage, "results/notes.txt", "nothing\n");
    let told = stage.andon(&["ingest", "results"]).ends(1);
    told.prints(&[
        "junit (pytest)",
        "tap",
        "1 failing case",
        "failed tests.cart::case 1",
        "notes.txt: no result file",
    ]);
    let told = stage.andon(&["ingest", "results", "--json"]).ends(1).json();
    assert_eq!(told["totals"]["cases"], 4);
    assert_eq!(told["totals"]["failed"], 1);
    assert_eq!(told["files"][0]["dialect"], "pytest");
    assert_eq!(told["files"][0]["error"], serde_json::Value::Null);
    assert_eq!(told["cases"][1]["id"], "tests.cart::case 1");
    assert_eq!(told["cases"][1]["outcome"], "failed");
    assert_eq!(told["cases"][1]["duration_ms"], 10);
    write(&stage, "good.xml", &junit(2, &[]));
    stage.andon(&["ingest", "good.xml"]).ends(0);
}

#[test]
fn ingest_says_what_is_wrong_with_a_file_and_what_to_do() {
    let stage = Stage::empty();
    write(&stage, "page.xml", "<!DOCTYPE html><html></html>");
    write(&stage, "none.xml", "");
    write(&stage, "cut.xml", &junit(3, &[])[..120]);
    write(&stage, "cases.xml", "<testsuites/>");
    stage.andon(&["ingest", "page.xml"]).ends(2).says(&["page.xml", "an HTML page", "help:"]);
    stage.andon(&["ingest", "none.xml"]).ends(2).says(&["none.xml", "empty"]);
    stage.andon(&["ingest", "absent.xml"]).ends(2).says(&["absent.xml"]);
    stage.andon(&["ingest", "cut.xml"]).ends(1).prints(&["incomplete", "the file ends within"]);
    stage.andon(&["ingest", "cases.xml"]).ends(1).prints(&["empty"]);
    stage.andon(&["ingest", "page.xml", "--format", "nonsense"]).ends(2).says(&["--format"]);
}

#[test]
fn compare_tells_what_regressed_and_ends_so() {
    let stage = Stage::empty();
    write(&stage, "a.xml", &junit(4, &[1, 2]));
    write(&stage, "b.xml", &junit(4, &[0, 2]));
    let told = stage.andon(&["compare", "a.xml", "b.xml"]).ends(1);
    told.prints(&["1 regressed, 1 still failing, 1 fixed, 1 still passing", "tests.cart::case 0"]);
    let told = stage.andon(&["compare", "a.xml", "b.xml", "--json"]).ends(1).json();
    assert_eq!(told["changes"]["regressed"], serde_json::json!(["tests.cart::case 0"]));
    assert_eq!(told["changes"]["fixed"], serde_json::json!(["tests.cart::case 1"]));
    stage.andon(&["compare", "a.xml", "a.xml"]).ends(0);
    stage.andon(&["compare", "a.xml", "a.xml", "--fail-on", "failing"]).ends(1);
    stage.andon(&["compare", "a.xml", "none.xml"]).ends(2).says(&["none.xml"]);
}

#[test]
fn a_folder_is_one_run_and_a_run_that_was_cut_removes_nothing() {
    let stage = Stage::empty();
    write(&stage, "a/one.xml", &junit(2, &[]));
    write(&stage, "a/two.tap", "1..1\nok 1 - other\n");
    write(&stage, "b/one.xml", &junit(2, &[]));
    stage.andon(&["compare", "a", "b"]).ends(0).prints(&["1 removed", "2 still passing"]);
    let whole = junit(2, &[]);
    write(&stage, "b/one.xml", &whole[..whole.find("case 1").unwrap()]);
    let told = stage.andon(&["compare", "a", "b", "--json"]).ends(0).json();
    assert_eq!(told["b"]["complete"], false);
    assert_eq!(told["counts"]["removed"], 0);
    assert_eq!(told["counts"]["not_run"], 2);
    write(&stage, "b/one.xml", "<testsuites/>");
    stage.andon(&["compare", "a", "b"]).ends(1);
}

#[test]
fn markdown_fits_into_a_comment_and_drives_nothing() {
    let stage = Stage::empty();
    let all: Vec<usize> = (0..3_000).collect();
    write(&stage, "a.xml", &junit(3_000, &[]));
    write(&stage, "b.xml", &junit(3_000, &all));
    let told = stage.andon(&["compare", "a.xml", "b.xml", "--markdown"]).ends(1);
    assert!(told.out.len() <= 65_535, "{}", told.out.len());
    assert!(told.out.starts_with("## 3000 regressed\n"), "{}", &told.out[..100]);
    assert!(told.out.contains("Not shown for want of room: "));
    assert!(told.out.contains("`@team`") && !told.out.contains("<b>"));
}
