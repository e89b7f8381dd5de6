//! `andon daemon` and the commands that talk to it, as the real program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Ask, Reply, post};
use crate::hooks::sign;
use crate::support::{Place, Running, until};

/// Nobody watches it.
pub(crate) const PIPELINE: &str = r#"version: 1
name: shop
environment: staging
vars:
  stage: "${env.STAGE_DIR}"
  base_url: "http://${env.STAGE_ADDRESS}"
watch: { repo: ../repo, poll: off }
deploy:
  steps: [{ name: Roll out, run: [./deploy.sh], timeout: 60s }]
ready:
  timeout: 60s
  every: 20ms
  successes: 1
  revision:
    - { surface: api, http: { url: "${base_url}/version" }, value: json $.revision }
suite:
  name: P1
  retries: 0
  cases:
    - { id: test_001_one, steps: [{ http: { url: "${base_url}/one" } }] }
"#;
pub(crate) const DEPLOY: &str = include_str!("../crash_resume/deploy.sh");
const ANSWERS: &str = r#"{ "routes": { "/one": [{ "text": "ok" }] } }"#;
const TOKEN: &str = "admin-token-of-this-test-0123";

/// A place with a pipeline and one commit.
pub(crate) fn place() -> Place {
    let mut place = Place::new();
    place.write("pipelines/shop.yaml", PIPELINE);
    let files = vec![
        ("deploy.sh".to_owned(), DEPLOY.to_owned(), true),
        ("stage.yaml".to_owned(), ANSWERS.to_owned(), false),
    ];
    place.commit("First version", &files);
    place
}

/// Starts the daemon on a free port, and waits until it answers.
pub(crate) fn daemon(place: &Place, args: &[&str]) -> Running {
    let all = [&["daemon", "--listen", "127.0.0.1:0"], args].concat();
    let daemon = place.start(&all);
    until("the daemon answers", || place.file(".andon/daemon.json").exists());
    daemon
}

/// Sends a request to the daemon of a place, and gives back the status.
pub(crate) fn send(place: &Place, ask: Ask) -> u16 {
    send_for_reply(place, ask).status
}

/// Sends a request to the daemon of a place.
pub(crate) fn send_for_reply(place: &Place, ask: Ask) -> Reply {
    let file: Value = serde_json::from_str(&place.read(".andon/daemon.json")).unwrap();
    let address = file["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(ask.of(address))
}

pub(crate) fn state_of(place: &Place) -> Value {
    let status = place.andon(&["status", "--json"]).expect_code(0).json();
    status["pipelines"][0].clone()
}

fn newest_verdict(place: &Place) -> Value {
    state_of(place)["latest"]["verdict"].clone()
}

#[test]
fn a_cycle_that_was_asked_for_is_run_shown_and_logged() {
    let place = place();
    let daemon = daemon(&place, &[]);
    let status = place.andon(&["status"]).expect_code(0);
    assert!(status.stdout.contains("shop") && status.stdout.contains("idle"), "{}", status.stdout);
    let asked = place.andon(&["trigger", "shop", "--key", "k1", "--json"]).expect_code(0).json();
    assert_eq!((&asked["pipeline"], &asked["cycle"]), (&json!("shop"), &Value::Null));
    until("the cycle is green", || newest_verdict(&place) == "green");
    until("the cycle is over", || state_of(&place)["state"] == "idle");
    let again = place.andon(&["trigger", "shop", "--key", "k1", "--json"]).expect_code(0).json();
    assert_eq!((&again["trigger"], &again["cycle"]), (&asked["trigger"], &json!(1)));
    assert_eq!(place.stage().starts().len(), 1);
    // What the repository does not have becomes no cycle, and so no news and no red badge.
    for absent in ["no-such-branch", "0123456789abcdef0123456789abcdef01234567"] {
        let refused = place.andon(&["trigger", "shop", "--revision", absent]).expect_code(2);
        assert!(refused.stderr.contains("nothing is started: ") && refused.stderr.contains(absent));
    }
    assert_eq!(state_of(&place)["latest"]["cycle"], 1);
    assert_eq!(state_of(&place)["waiting"], json!([]));
    let cycle = place.andon(&["show", "shop", "--json"]).expect_code(0).json();
    assert_eq!(cycle["trigger"], json!({ "kind": "manual", "detail": "by ada" }));
    assert!(place.file("reports/shop/cycle-0001.md").is_file());
    // The same log, by way of the state folder and by way of the daemon.
    let here = place.andon(&["logs", "shop"]).expect_code(0).stdout;
    let url = serde_json::from_str::<Value>(&place.read(".andon/daemon.json")).unwrap();
    let url = url["url"].as_str().unwrap().to_owned();
    let there = place.andon(&["logs", "shop", "--follow", "--url", &url]).expect_code(0).stdout;
    assert_eq!(here, there);
    assert!(here.contains("deploy step 1: Roll out"), "{here}");
    place.andon(&["cancel", "shop"]).expect_code(2);
    assert!(daemon.said("INFO"), "a daemon says what it does");
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);
    assert!(!place.file(".andon/daemon.json").exists());
    place.andon(&["status"]).expect_code(5);
    place.andon(&["trigger", "shop", "--url", &url]).expect_code(5);
}

#[test]
fn a_service_manager_hears_when_it_is_ready_and_when_it_leaves() {
    let mut place = place();
    let socket = place.file("notify.sock");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    place.set_env("NOTIFY_SOCKET", socket.to_str().unwrap());
    let daemon = daemon(&place, &[]);
    let heard = || {
        let mut buffer = [0; 1_024];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let ready = heard();
    assert!(ready.contains("READY=1\n") && ready.contains("STATUS=1 pipeline served"), "{ready}");
    daemon.signal(Signal::TERM);
    assert!(heard().contains("STOPPING=1\n"));
    daemon.wait().expect_code(0);
}

#[test]
fn a_running_cycle_is_ended_by_who_asks() {
    let place = place();
    place.write("stage/hold-before", "");
    let daemon = daemon(&place, &[]);
    place.andon(&["trigger", "shop"]).expect_code(0);
    until("the deploy runs", || place.stage().starts().len() == 1);
    let running = state_of(&place);
    assert_eq!(
        (&running["state"], &running["running"]["phase"]),
        (&json!("running"), &json!("deploy"))
    );
    let shown = place.andon(&["status"]).expect_code(0).stdout;
    assert!(shown.contains("cycle 1 deploy"), "{shown}");
    place.andon(&["cancel", "shop"]).expect_code(0);
    until("the cycle is over", || state_of(&place)["state"] == "idle");
    let events = place.andon(&["show", "shop", "--json"]).expect_code(0).json();
    assert_eq!(events["verdict"], "cancelled");
    drop(daemon);
}

#[test]
fn one_daemon_for_a_state_folder_and_none_open_to_the_world() {
    let place = place();
    let first = daemon(&place, &[]);
    let second = place.andon(&["daemon", "--listen", "127.0.0.1:0"]).expect_code(2);
    let pid = first.pid().to_string();
    assert!(second.stderr.contains(&format!("process {pid} serves")), "{}", second.stderr);
    place.andon(&["status"]).expect_code(0);
    drop(first);
    let open = place.andon(&["daemon", "--listen", "0.0.0.0:0"]).expect_code(2);
    assert!(open.stderr.contains("no tokens are configured"), "{}", open.stderr);
    assert!(open.stderr.contains("help: put `tokens:"), "{}", open.stderr);
    let nowhere = place.andon(&["daemon", "--pipelines", "no-such"]).expect_code(2);
    assert!(nowhere.stderr.contains("no folder no-such"), "{}", nowhere.stderr);
}

#[test]
fn tokens_come_from_the_settings_and_are_read_again_on_hangup() {
    let mut place = place();
    place.write("token", &format!("{TOKEN}\n"));
    fs::set_permissions(place.file("token"), fs::Permissions::from_mode(0o600)).unwrap();
    place.write("andon.yaml", "tokens: [{ name: ops, role: admin, token: { file: token } }]\n");
    let daemon = daemon(&place, &[]);
    let refused = place.andon(&["status"]).expect_code(2);
    assert!(refused.stderr.contains("ANDON_TOKEN"), "{}", refused.stderr);
    place.set_env("ANDON_TOKEN", TOKEN);
    place.andon(&["status"]).expect_code(0);
    // A broken file, and a new token: the old ones stay until all is right.
    place.write("pipelines/shop.yaml", "version: 1\nsuit: {}\n");
    place.write("token", "another-token-of-this-test-0123\n");
    daemon.signal(Signal::HUP);
    until("it tells the fault", || daemon.said("served on"));
    place.set_env("ANDON_TOKEN", "another-token-of-this-test-0123");
    until("the new token counts", || place.andon(&["status"]).code == Some(0));
    assert!(state_of(&place)["stale"].as_str().unwrap().contains("suit"));
    place.set_env("ANDON_TOKEN", TOKEN);
    place.andon(&["status"]).expect_code(2);
    assert!(!daemon.said(TOKEN));
}

/// A daemon in the middle of its start: the program that gives its token waits for a file.
fn that_starts_slowly(place: &Place) -> Running {
    let wait = format!("touch begun; until [ -e go ]; do sleep 0.02; done; echo {TOKEN}");
    let token = json!({ "command": ["sh", "-c", wait] });
    place.write("andon.yaml", &format!("tokens: [{{ name: ops, role: admin, token: {token} }}]\n"));
    let daemon = place.start(&["daemon", "--listen", "127.0.0.1:0"]);
    until("it is about to start", || place.file("begun").exists());
    daemon
}

#[test]
fn a_hangup_during_the_start_has_the_files_read_again_after_it() {
    let mut place = place();
    place.set_env("ANDON_TOKEN", TOKEN);
    let daemon = that_starts_slowly(&place);
    daemon.signal(Signal::HUP);
    place.write("go", "");
    let served = || daemon.stderr().lines().filter(|line| line.contains("1 pipeline")).count();
    until("it serves, and has read its files again", || served() == 2);
    place.andon(&["status"]).expect_code(0);
}

#[test]
fn an_end_that_is_asked_for_during_the_start_is_one_in_order() {
    let place = place();
    let daemon = that_starts_slowly(&place);
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);
    assert!(!place.file(".andon/daemon.json").exists());
    place.write("go", "");
}

#[test]
fn a_bad_file_does_not_keep_the_others_from_being_served() {
    let place = place();
    place.write("pipelines/broken.yaml", "version: 1\ndepoy: {}\n");
    let daemon = daemon(&place, &[]);
    until("the fault is told with its line", || daemon.said("depoy") && daemon.said("not served"));
    let status = place.andon(&["status", "--json"]).expect_code(0).json();
    assert_eq!(status["pipelines"].as_array().unwrap().len(), 1);
    assert_eq!(status["unserved"][0]["file"], "broken.yaml");
    let shown = place.andon(&["status"]).expect_code(0).stdout;
    assert!(shown.contains("broken.yaml is broken and not served: "), "{shown}");
    let asked = place.andon(&["trigger", "broken"]).expect_code(2).stderr;
    assert_eq!(asked.matches("broken.yaml is not served").count(), 1, "{asked}");
}

#[test]
fn the_log_says_what_a_cycle_goes_back_to_and_why() {
    let mut place = place();
    let steps = "timeout: 60s }]\n";
    let back = PIPELINE.replace(steps, &format!("{steps}  rollback: {{ when: [red] }}\n"));
    place.write("pipelines/shop.yaml", &back);
    let daemon = daemon(&place, &[]);
    place.andon(&["trigger", "shop"]).expect_code(0);
    until("the cycle is green", || newest_verdict(&place) == "green");
    let answers = ANSWERS.replace("{ \"text\"", "{ \"status\": 500, \"text\"");
    place.commit("Worse", &vec![("stage.yaml".to_owned(), answers, false)]);
    place.andon(&["trigger", "shop"]).expect_code(0);
    let short = place.commits()[0][..7].to_owned();
    let back =
        format!("goes back to {short}, which was green in cycle 1, because its verdict is red");
    until("it says so", || daemon.said(&back));
    until("it says how that ended", || daemon.said("the way back of cycle 2 of shop: passed"));
}

#[test]
fn what_the_daemon_does_not_know_is_the_user_s_slip() {
    let place = place();
    let _daemon = daemon(&place, &[]);
    let unknown = place.andon(&["trigger", "shoop"]).expect_code(2);
    assert!(unknown.stderr.contains("no pipeline"), "{}", unknown.stderr);
    place.andon(&["trigger", "shop", "--only", "nothing*"]).expect_code(2);
    place.andon(&["status", "--url", "not a url"]).expect_code(2);
    place.andon(&["status", "--url", "http://127.0.0.1:1"]).expect_code(5);
    assert_eq!(place.andon(&["commits", "shop"]).code, Some(0));
}

#[test]
fn a_webhook_has_the_commit_tested_that_the_remote_has() {
    let mut place = place();
    place.set_env("HOOK_SECRET", "the-secret-of-this-test");
    place.write("andon.yaml", "webhooks: { generic: { env: HOOK_SECRET } }\n");
    let daemon = daemon(&place, &[]);
    let hook = |repository: &str, sha: &str| {
        let body = json!({ "repository": repository, "sha": sha }).to_string();
        let signature = format!("sha256={}", sign("the-secret-of-this-test", body.as_bytes()));
        post("/hooks/generic", body).with("x-andon-signature", &signature)
    };
    let repo = format!("file://{}", place.file("repo").canonicalize().unwrap().display());
    // The first look finds what nobody merged just now.
    assert_eq!(send(&place, hook(&repo, "")), 202);
    until("the repository was looked at", || {
        state_of(&place)["watching"]["last_good_at"].is_string()
    });
    let old = place.commits()[0].clone();
    let files = vec![("more".to_owned(), "1".to_owned(), false)];
    let new = place.commit("Second version", &files);
    // I4, I11: whatever a hook says of another repository or an older commit, the remote decides.
    assert_eq!(send(&place, hook("https://evil.example/acme/chat.git", &new)), 202);
    assert_eq!(send(&place, hook(&repo, &old)), 202);
    until("the cycle is over", || {
        let state = state_of(&place);
        state["state"] == "idle" && state["latest"]["phase"] == "finished"
    });
    // I3: told again, there is nothing new.
    assert_eq!(send(&place, hook(&repo, &new)), 202);
    let commits = place.andon(&["commits", "shop", "--json"]).expect_code(0).json();
    assert_eq!((&commits[0]["sha"], &commits[0]["is"]), (&json!(new), &json!("tested")));
    assert_eq!((&commits[0]["cycle"], &commits[0]["verdict"]), (&json!(1), &json!("green")));
    let table = place.andon(&["commits", "shop"]).expect_code(0).stdout;
    assert!(table.contains("cycle 1 green") && table.contains("Second version"), "{table}");
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);
    assert_eq!(place.stage().starts(), ["cycle 1"]);
}
