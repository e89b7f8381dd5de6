//! `prove`: which cases can fail at all.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::stage::Stage;

/// Cases that differ in what they miss; `BODY` is what the last one expects.
const SUITE: &str = r#"
suite: P1
cases:
  - id: any_answer
    steps:
      - http: { method: GET, url: "${base_url}/x" }
        expect: { status: { ">=": 200 } }
  - id: only_status
    steps:
      - http: { method: GET, url: "${base_url}/x" }
  - id: any_refusal
    steps:
      - ws: { url: "${ws_url}/ws", headers: { Authorization: "Bearer ${identity.ann.token}" } }
        expect: { refused: {} }
  - id: events_of_any_run
    steps:
      - ws: { url: "${ws_url}/ws", session: chat }
        send: { json: { type: start, run: "${uuid}" } }
        expect: { events: { by: $.type, within: 5s, all: [started, ended] } }
  - id: events_of_this_run
    steps:
      - name: start
        http: { method: POST, url: "${base_url}/runs", json: { key: "${secret.key}" } }
        expect: { status: 201, json: { $.id: { matches: "^[0-9a-f-]{36}$" } } }
        capture: { run: json $.id }
      - name: the events
        ws: { url: "${ws_url}/ws", session: chat }
        send: { text: "watch ${run}" }
        expect:
          latency: "< 2s"
          events: { by: $.type, within: 5s, ordered: true, all: [a, b, a], none: [error], where: { $.run: "${run}" } }
      - name: goodbye
        ws: { session: chat }
        close: { code: 1000 }
      - name: the result
        http: { method: GET, url: "https://${host}/runs/${run}" }
        eventually: { within: 5s, every: 1s }
        expect: { json: { $.run: "${run}", $.steps: { length: 2 } }, tls: { expires_in: "> 14d" } }
"#;

/// The faults of a case that are not simply detected.
fn told(proof: &Value, id: &str, what: &str) -> Vec<String> {
    let cases = proof["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["id"] == id).unwrap();
    let faults = case["faults"].as_object().unwrap().iter();
    faults.filter(|(_, shown)| *shown == what).map(|(fault, _)| fault.clone()).collect()
}

#[test]
fn what_a_case_misses_is_told_and_makes_it_vacuous_where_it_must() {
    let stage = Stage::empty();
    fs::write(stage.path().join("suite.yaml"), SUITE).unwrap();
    let did = stage.andon(&["prove", "suite.yaml", "--json"]).ends(1);
    let proof = did.json();
    assert_eq!(proof["vacuous"], json!(["any_answer", "any_refusal"]));
    let missed = |id| told(&proof, id, "missed");
    assert_eq!(missed("any_answer"), ["status_500", "status_404", "empty_json"]);
    assert_eq!(missed("only_status"), ["empty_json"]);
    assert_eq!(missed("any_refusal"), ["status_500", "status_404"]);
    assert_eq!(missed("events_of_any_run"), ["events_foreign"]);
    assert_eq!(missed("events_of_this_run"), [""; 0]);
    assert_eq!(told(&proof, "events_of_this_run", "not_applicable"), [""; 0]);
    assert_eq!(proof["not_tried"], json!([]));
    let missed: usize = ["any_answer", "only_status", "any_refusal", "events_of_any_run"]
        .iter()
        .map(|id| told(&proof, id, "missed").len())
        .sum();
    let (detected, applicable) = (&proof["detected"], &proof["applicable"]);
    assert_eq!(applicable.as_u64().unwrap() - detected.as_u64().unwrap(), missed as u64);

    stage
        .andon(&["prove", "suite.yaml"])
        .ends(1)
        .prints(&["any_answer passes under status_500", "it is vacuous", "faults detected"])
        .prints(&["events_of_any_run passes under events_foreign\n"]);
}

#[test]
fn nothing_is_claimed_of_what_could_not_be_tried() {
    let stage = Stage::empty();
    let suite = r#"
suite: P1
cases:
  - id: a_path_we_cannot_fill
    steps:
      - http: { method: GET, url: "${base_url}/x" }
        expect: { json: { "$.items[1:3].id": 7 } }
"#;
    fs::write(stage.path().join("suite.yaml"), suite).unwrap();
    let did = stage.andon(&["prove", "suite.yaml", "--json"]).ends(1);
    let proof = did.json();
    assert_eq!(told(&proof, "a_path_we_cannot_fill", "not_applicable").len(), 11);
    assert_eq!((&proof["detected"], &proof["applicable"]), (&json!(0), &json!(0)));
    let reason = proof["not_tried"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("$.items[1:3].id"), "{reason}");
    stage.andon(&["prove", "suite.yaml"]).ends(1).prints(&["was not tried"]);

    let pipeline = "version: 1\nsuite:\n  timeout: 1m\n  commands: [{ name: py, run: pytest }]\n";
    fs::write(stage.path().join("tools.yaml"), pipeline).unwrap();
    let did = stage.andon(&["prove", "tools.yaml", "--json"]).ends(1);
    assert_eq!(did.json()["commands_not_tried"], json!(["py"]));
    // There is no repository to take them from.
    stage.andon(&["prove", "tools.yaml"]).ends(1).prints(&["command py was not tried: "]);
}

/// A step in front that notices does not hide one that takes everything; a later one that asks about
/// what came of it may notice in its stead.
#[test]
fn every_step_that_a_fault_concerns_notices_it_by_itself() {
    let stage = Stage::empty();
    let suite = r#"
suite: P1
cases:
  - id: health_in_front
    steps:
      - http: { method: GET, url: "${base_url}/health" }
      - name: pay
        http: { method: GET, url: "${base_url}/pay" }
        expect: { status: [200, 404, 500] }
  - id: noticed_later
    steps:
      - http: { method: POST, url: "${base_url}/runs" }
        expect: { status: [201, 500] }
        capture: { run: json $.id }
      - http: { method: GET, url: "${base_url}/runs/${run}" }
        expect: { json: { $.id: "${run}" } }
  - id: wants_an_error
    steps:
      - http: { method: GET, url: "${base_url}/health" }
      - http: { method: GET, url: "${base_url}/gone" }
        expect: { status: 404, json: { $.error: { type: string } } }
"#;
    fs::write(stage.path().join("suite.yaml"), suite).unwrap();
    let proof = stage.andon(&["prove", "suite.yaml", "--json"]).ends(1).json();
    assert_eq!(proof["vacuous"], json!(["health_in_front"]));
    assert_eq!(
        told(&proof, "health_in_front", "missed"),
        ["status_500", "status_404", "empty_json"]
    );
    let unnoticed = json!({ "status_500": ["pay"], "status_404": ["pay"] });
    assert_eq!(proof["cases"][0]["unnoticed"], unnoticed);
    assert_eq!(told(&proof, "noticed_later", "missed"), [""; 0]);
    assert_eq!(told(&proof, "wants_an_error", "missed"), [""; 0]);
    assert_eq!(proof["cases"][1]["unnoticed"], Value::Null);
    stage.andon(&["prove", "suite.yaml"]).ends(1).prints(&["status_500 at `pay`"]);
}

#[test]
fn a_broken_file_is_refused() {
    let stage = Stage::empty();
    fs::write(stage.path().join("suite.yaml"), "suite: P1\ncases:\n  - id: a\n    stepz: []\n")
        .unwrap();
    let did = stage.andon(&["prove", "suite.yaml"]).ends(2).prints_nothing();
    did.says(&["did you mean `steps`", "not a valid suite file"]);
    stage.andon(&["prove", "absent.yaml"]).ends(2).says(&["there is no file absent.yaml"]);
}

/// The bundled suite notices every fault that concerns it, and `docs/prove.md` says so.
#[test]
fn the_matrix_of_the_page_is_that_of_the_bundled_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pipeline = root.join("pipelines/chat-staging.yaml");
    let stage = Stage::empty();
    let did = stage.andon(&["prove", pipeline.to_str().unwrap(), "--json"]).ends(0);
    let proof = did.json();
    assert_eq!(proof["vacuous"], json!([]));
    assert_eq!(proof["not_tried"], json!([]));
    assert_eq!(proof["detected"], proof["applicable"]);

    let page = root.join("docs/prove.md");
    let text = fs::read_to_string(&page).unwrap();
    let (begin, end) = ("<!-- matrix -->\n", "<!-- end of the matrix -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    let wanted = matrix(&proof);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&page, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
    } else {
        assert_eq!(found, wanted, "UPDATE_EXPECTED=1 writes it again");
    }
}

fn matrix(proof: &Value) -> String {
    let cases = proof["cases"].as_array().unwrap();
    let faults: Vec<&String> = cases[0]["faults"].as_object().unwrap().keys().collect();
    let mut text = "| case |".to_owned();
    faults.iter().for_each(|fault| write!(text, " `{fault}` |").unwrap());
    text += &format!("\n|---|{}\n", "---|".repeat(faults.len()));
    for case in cases {
        write!(text, "| {} |", case["id"].as_str().unwrap()).unwrap();
        for fault in &faults {
            let shown = match case["faults"][fault.as_str()].as_str().unwrap() {
                "detected" => "yes",
                "missed" => "**missed**",
                _ => "·",
            };
            write!(text, " {shown} |").unwrap();
        }
        text.push('\n');
    }
    let (detected, applicable) = (&proof["detected"], &proof["applicable"]);
    writeln!(text, "\n{detected} of {applicable} faults detected.").unwrap();
    text
}
