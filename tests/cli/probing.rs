//! `probe`: one step by hand, and the commands that reports offer to repeat a failure.

use std::fs;

use super::stage::{PIPELINE, Stage, did};

fn stage() -> Stage {
    let stage = Stage::empty();
    let www = stage.path().join("www");
    fs::write(www.join("health"), "ok").unwrap();
    fs::write(www.join("news.sse"), "event: first\ndata: 1\n\nevent: second\ndata: 2\n\n").unwrap();
    stage
}

#[test]
fn an_http_request_shows_all_it_saw() {
    let stage = stage();
    let url = format!("http://{}/health", stage.address());
    let probed = stage.andon(&["probe", &url, "--expect-status", "200"]).ends(0);
    probed.prints(&["passed probe", "status    200", "timing ", stage.address(), "\nok\n"]);
    let probed = stage.andon(&["probe", &url, "--expect-status", "204"]).ends(1);
    probed.prints(&["failed probe", "http_status: expected status 204, got 200"]);
    stage.andon(&["probe", &url]).ends(0).prints(&["passed probe"]);
    let gone = format!("http://{}/nothing", stage.address());
    let probed = stage.andon(&["probe", &gone]).ends(1);
    probed.prints(&["failed probe", "http_status: expected status 2xx, got 404", "status    404"]);
    stage.andon(&["probe", &gone, "--expect-status", "404"]).ends(0).prints(&["passed probe"]);
    let probed = stage.andon(&["probe", &url, "--json", "-X", "post", "-d", "x"]).ends(0).json();
    let exchange = &probed[0]["evidence"]["exchanges"][0];
    assert_eq!(exchange["method"], "POST");
    assert_eq!(exchange["status"], 200);
    let hang = format!("http://{}/hang", stage.address());
    let probed = stage.andon(&["probe", &hang, "--timeout", "200ms"]).ends(1);
    probed.prints(&["timeout: ", "within"]);
    stage.andon(&["probe", "http://127.0.0.1:1/"]).ends(1).prints(&["refused the connection"]);
    stage.andon(&["probe", "https://127.0.0.1:1/", "-k"]).ends(1).prints(&["refused"]);
    let tls = format!("https://{}/", stage.address());
    let probed = stage.andon(&["probe", &tls, "--timeout", "300ms"]).ends(1);
    probed.prints(&["timeout: ", "during the TLS handshake"]);
}

#[test]
fn a_socket_shows_its_frames_and_its_close() {
    let stage = stage();
    let url = format!("ws://{}/ws", stage.address());
    let args = ["probe", &url, "-d", r#"{"type":"ping"}"#, "--expect-event", "hello"];
    let more = ["--expect-event", "ping"];
    let probed = stage.andon(&[&args[..], &more].concat()).ends(0);
    probed.prints(&["← text {\"type\":\"hello\"}", "→ text {\"type\":\"ping\"}"]);
    let args = ["probe", &url, "--data", "bye", "--expect-event", "pong", "--timeout", "5s"];
    let probed = stage.andon(&args).ends(1);
    probed.prints(&["ws_close: ", "close     1008 so long"]);
    let plain = format!("ws://{}/health", stage.address());
    stage.andon(&["probe", &plain]).ends(1).prints(&["ws_refused: "]);
}

#[test]
fn a_stream_is_read_by_the_name_of_its_events() {
    let stage = stage();
    let url = format!("http://{}/news.sse", stage.address());
    let events = ["--expect-event", "first", "--expect-event", "second"];
    stage.andon(&[&["probe", &url, "--sse"][..], &events].concat()).ends(0).prints(&["first"]);
    let probed =
        stage.andon(&["probe", &url, "--sse", "--expect-event", "third", "--timeout", "1s"]);
    probed.ends(1).prints(&["missing_event: ", "third"]);
}

#[test]
fn a_suite_file_is_probed_whole() {
    let stage = stage();
    let suite = format!(
        "cases:\n  - id: one\n    steps: [{{ http: {{ url: \"http://{}/health\" }} }}]\n",
        stage.address()
    );
    fs::write(stage.path().join("one.yaml"), &suite).unwrap();
    stage.andon(&["probe", "one.yaml"]).ends(0).prints(&["passed one", "status    200"]);
    let told = stage.andon(&["probe", "one.yaml", "-X", "GET"]).ends(2).prints_nothing();
    told.says(&["error: --method does not go with a suite file"]);
    fs::write(stage.path().join("bad.yaml"), suite.replace("steps", "step")).unwrap();
    let told = stage.andon(&["probe", "bad.yaml"]).ends(2).prints_nothing();
    told.says(&["did you mean `steps`?", "error: bad.yaml is not a valid suite file"]);
}

#[test]
fn what_cannot_be_probed_is_wrong_usage() {
    let stage = stage();
    let http = format!("http://{}/", stage.address());
    let ws = format!("ws://{}/ws", stage.address());
    let cases: [(&[&str], &str); 11] = [
        (&["nope"], "there is no file nope"),
        (&["ftp://host/x"], "ftp:// is nothing that can be probed"),
        (&["http://"], "http:// is no address"),
        (&["http://127.0.0.1:99999/"], "is no address"),
        (&[&http, "-H", "no colon"], "write a header as `Name: value`"),
        (&[&http, "--timeout", "soon"], "write a duration as 500ms, 30s or 5m"),
        (&[&http, "--expect-status", "99"], "99"),
        (&[&http, "--sse", "--by", "$["], "--by $["),
        (&[&ws, "-X", "GET"], "--method does not go with a WebSocket"),
        (&[&http, "--subprotocol", "x"], "--subprotocol does not go with an HTTP request"),
        (&[&http, "--expect-event", "x"], "--expect-event without --sse does not go"),
    ];
    for (args, text) in cases {
        let args = [&["probe"][..], args].concat();
        stage.andon(&args).ends(2).prints_nothing().says(&["error: ", text]);
    }
}

/// Reports offer a command to repeat each failure: this program must take what it offers.
#[test]
fn the_commands_that_reports_offer_do_repeat_the_failure() {
    let stage = Stage::empty();
    let cases = r#"  cases:
    - id: socket
      timeout: 3s
      steps:
        - ws: { url: "${ws_base}/ws" }
          send: { text: "it's \"so\"" }
          expect: { events: { by: $.kind, all: [welcome], within: 300ms } }
    - id: stream
      timeout: 3s
      steps:
        - sse: { url: "${base}/news.sse" }
          expect: { events: { by: event, all: [third], within: 300ms } }
    - id: request
      timeout: 3s
      steps: [{ http: { url: "${base}/chat" }, expect: { status: 200 } }]
"#;
    let head = &PIPELINE[..PIPELINE.find("  cases:").unwrap()];
    stage.write_pipeline("small", &format!("{head}{cases}"));
    stage.commit("News", &[("news.sse", Some("event: first\ndata: 1\n\n"))]);
    stage.andon(&["run", "small"]).ends(1);
    let cycle = stage.newest();
    for case in cycle["cases"].as_array().unwrap() {
        let (id, failure) = (case["id"].as_str().unwrap(), &case["failure"]);
        let repro = failure["repro"].as_str().unwrap_or_else(|| panic!("{id}: {failure:#}"));
        if id == "request" {
            assert!(repro.starts_with("curl "), "{repro}");
            continue;
        }
        let program = env!("CARGO_BIN_EXE_andon");
        let script = repro.replacen("andon probe", &format!("'{program}' probe --timeout 1s"), 1);
        assert_ne!(script, repro);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]).current_dir(stage.path());
        let probed = did(shell).ends(1);
        let class = failure["class"].as_str().unwrap();
        probed.prints(&[&format!("{class}: ")]);
    }
}
