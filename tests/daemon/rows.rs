//! Rows of the matrix in `docs/reliability.md` that take a whole daemon: what waits outlives a kill, a
//! stop lets what runs come to its end, and what is asked for or pushed is deployed as often as it should be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::post;
use crate::program::{self, DEPLOY, daemon, state_of};
use crate::sink::{Sink, status};
use crate::support::{CANARY, CommitFiles, Place, until};
use crate::unattended::{GOOD, PIPELINE, fates, files, has_looked, place, wait_for_cycles};

/// A test tool that leaves a line for each start and waits where a test wants it to.
const TOOL: &str = include_str!("../crash_resume/tool.sh");

fn shown(place: &Place, pipeline: &str, cycle: u32) -> Value {
    place.andon(&["show", pipeline, &cycle.to_string(), "--json"]).expect_code(0).json()
}

fn release(place: &Place) {
    fs::remove_file(place.file("stage/hold-before")).unwrap();
}

/// RELIABILITY A1: a daemon is killed while a commit and a hand wait for a busy environment. Each starts
/// once, the hand first, and each still says why it was started.
#[test]
fn a1_what_waits_outlives_a_kill_with_its_order_and_its_cause() {
    let mut place = place(&PIPELINE);
    // Of the same environment; nothing is ever pushed to its branch.
    let mall = program::PIPELINE.replace("name: shop", "name: mall");
    let mall = mall.replace("poll: off", "poll: off, branches: [mall]");
    place.write("pipelines/mall.yaml", &mall);
    place.write("stage/hold-before", "");
    let first = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.commit("Second version", &files(GOOD));
    until("the deploy runs", || place.stage().starts().len() == 1);
    let third = place.commit("Third version", &files(&format!("{GOOD} ")));
    until("the commit waits", || fates(&place).contains(&(third.clone(), "waiting".to_owned())));
    place.andon(&["trigger", "mall", "--revision", "main"]).expect_code(0);
    first.kill();

    fs::remove_file(place.file(".andon/daemon.json")).unwrap();
    let _second = daemon(&place, &[]);
    release(&place);
    let ran = wait_for_cycles(&place, 2);
    assert_eq!((ran.len(), &ran[1]), (2, &(third, "green".to_owned())));
    // The first of shop; then the hand, which goes before a commit; then that commit.
    assert_eq!(place.stage().starts(), ["cycle 1", "cycle 1", "cycle 2"]);
    assert_eq!(
        shown(&place, "mall", 1)["trigger"],
        json!({ "kind": "manual", "detail": "by ada" })
    );
    assert_eq!(shown(&place, "shop", 2)["trigger"]["kind"], "commit");
}

/// RELIABILITY A7: a daemon is killed while a suite command lists, while two shards of it run, and while it
/// runs what failed again; the last ends while no daemon is there. Each ran once, and nothing of it is lost.
#[test]
fn a7_a_command_outlives_every_daemon_and_runs_once() {
    let tool = "  commands:\n    - { name: tool, run: sh tool.sh tests, list: sh tool.sh list, \
                rerun: sh tool.sh again, shards: 2 }\n";
    let pipeline = PIPELINE.replace("retries: 0", "retries: 1");
    let mut place = place(&format!("{pipeline}{tool}"));
    let mut here = daemon(&place, &[]);
    has_looked(&place, "shop");
    let mut with_tool = files(GOOD);
    with_tool.push(("tool.sh".to_owned(), TOOL.to_owned(), false));
    for part in ["list", "tests", "again"] {
        place.write(&format!("stage/hold-{part}"), "");
    }
    let sha = place.commit("With a tool", &with_tool);
    let mut begun = vec!["cycle 1"];
    for (part, starts) in [
        ("list", vec!["list of cycle 1"]),
        ("tests", vec!["tests1 of cycle 1", "tests2 of cycle 1"]),
        ("again", vec!["again of cycle 1"]),
    ] {
        begun.extend(starts);
        until("the part runs", || sorted(place.stage().starts()).len() == begun.len());
        here.kill();
        fs::remove_file(place.file(".andon/daemon.json")).unwrap();
        if part == "again" {
            fs::remove_file(place.file("stage/hold-again")).unwrap();
            here = daemon(&place, &[]);
        } else {
            here = daemon(&place, &[]);
            until("it is taken up", || here.said("is taken up in its suite phase"));
            fs::remove_file(place.file(&format!("stage/hold-{part}"))).unwrap();
        }
    }
    assert_eq!(wait_for_cycles(&place, 1), [(sha, "green".to_owned())]);
    let wanted = sorted(begun.iter().map(ToString::to_string).collect());
    assert_eq!(sorted(place.stage().starts()), wanted);
    assert_eq!(place.stage().requests("/one"), 1, "the native case was final before");
    let suite = shown(&place, "shop", 1)["suite"].clone();
    assert_eq!(
        (&suite["planned"], &suite["passed"], &suite["flaky"]),
        (&json!(7), &json!(6), &json!(1))
    );
    here.kill();
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// RELIABILITY A13: what runs comes to its end, what waits is left to the next daemon, and the daemon
/// leaves with 0.
#[test]
fn a13_a_stop_lets_what_runs_come_to_its_end_and_begins_nothing() {
    let held = r#"{ "routes": { "/one": [{ "text": "ok", "gate": "open-one" }] } }"#;
    let mut place = place(&PIPELINE);
    let first = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.commit("Second version", &files(held));
    until("the suite asks", || place.stage().requests("/one") == 1);
    place.andon(&["trigger", "shop"]).expect_code(0);
    first.signal(Signal::TERM);
    until("it drains", || first.said("waiting for the end"));
    place.stage().open("open-one");
    first.wait().expect_code(0);
    assert_eq!(place.stage().starts(), ["cycle 1"]);
    assert_eq!(shown(&place, "shop", 1)["verdict"], "green");
    let _second = daemon(&place, &[]);
    wait_for_cycles(&place, 2);
    assert_eq!(place.stage().starts(), ["cycle 1", "cycle 2"]);
}

/// RELIABILITY B2: one request made twice is one deploy; a redeploy that is asked for is another.
#[test]
fn b2_a_redeploy_that_is_asked_for_is_a_cycle_of_its_own() {
    let place = place(program::PIPELINE);
    let _daemon = daemon(&place, &[]);
    let sha = place.commits()[0].clone();
    let ask = |key: &str| {
        let args = ["trigger", "shop", "--revision", &sha, "--key", key, "--json"];
        place.andon(&args).expect_code(0).json()
    };
    ask("first");
    wait_for_cycles(&place, 1);
    assert_eq!(ask("first")["cycle"], 1);
    ask("again");
    let ran = wait_for_cycles(&place, 2);
    assert_eq!(ran, [(sha.clone(), "green".to_owned()), (sha.clone(), "green".to_owned())]);
    assert_eq!(place.stage().starts(), ["cycle 1", "cycle 2"]);
}

/// RELIABILITY B3: twenty pushes while a deploy runs become one cycle, of the last of them.
#[test]
fn b3_pushes_during_a_deploy_become_one_cycle_of_the_last() {
    let mut place = place(&PIPELINE);
    place.write("stage/hold-before", "");
    let _daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    let running = place.commit("Before the burst", &files(GOOD));
    until("the deploy runs", || place.stage().starts().len() == 1);
    let burst: Vec<String> = (1..=20)
        .map(|n| place.commit(&format!("Push {n}"), &files(&format!("{GOOD}{}", " ".repeat(n)))))
        .collect();
    let last = burst.last().unwrap().clone();
    until("the last one waits", || fates(&place).contains(&(last.clone(), "waiting".to_owned())));
    release(&place);
    let ran = wait_for_cycles(&place, 2);
    assert_eq!(ran, [(running, "green".to_owned()), (last.clone(), "green".to_owned())]);
    assert_eq!(shown(&place, "shop", 2)["taken_together"].as_array().unwrap().len(), 19);
    assert_eq!(place.read("stage/revision"), last);
    let fates = fates(&place);
    for passed in &burst[..19] {
        assert!(fates.contains(&(passed.clone(), "taken_together".to_owned())), "{fates:?}");
    }
}

/// RELIABILITY K4: what a revision says of pipelines and settings is not asked; and what is on a branch that
/// nobody named is not deployed, hence gets no secrets.
#[test]
fn k4_a_revision_brings_no_pipeline_of_its_own_and_a_foreign_branch_none_at_all() {
    let mut place = place(&PIPELINE);
    let _daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    let repository = git2::Repository::open(place.file("repo")).unwrap();
    let trunk = repository.head().unwrap().peel_to_commit().unwrap().id();
    let evil = PIPELINE.replace("./deploy.sh", "touch, \"${stage}/evil\"");
    let mut changed: CommitFiles = files(GOOD);
    for path in ["pipelines/shop.yaml", "pipelines/evil.yaml", "shop.yaml", ".andon/x.yaml"] {
        changed.push((path.to_owned(), evil.clone(), false));
    }
    changed.push(("andon.yaml".to_owned(), "listen: 0.0.0.0:1\n".to_owned(), false));
    let sha = place.commit("Deploys otherwise", &changed);
    assert_eq!(wait_for_cycles(&place, 1), [(sha.clone(), "green".to_owned())]);
    assert_eq!(place.stage().starts(), ["cycle 1"]);
    let tip = repository.find_commit(git2::Oid::from_str(&sha).unwrap()).unwrap();
    repository.branch("of-a-stranger", &tip, false).unwrap();
    repository.reference("refs/pull/7/head", tip.id(), false, "a fork's").unwrap();
    repository.reference("refs/heads/other", trunk, false, "an old one").unwrap();
    let next = place.commit("An honest one", &files(&format!("{GOOD} ")));
    assert_eq!(wait_for_cycles(&place, 2)[1].0, next);
    assert!(!place.file("stage/evil").exists());
    assert_eq!(place.stage().starts(), ["cycle 1", "cycle 2"]);
    assert_eq!(state_of(&place)["pipeline"], "shop");
}

/// RELIABILITY N6: whoever has the same said over and over fills no disk: beyond a burst it is said once a
/// second, with how often it was left out.
#[test]
fn n6_the_log_says_the_same_two_hundred_times_and_then_once_a_second() {
    let place = place(program::PIPELINE);
    place.write("stage/hold-before", "");
    let daemon = daemon(&place, &[]);
    place.andon(&["trigger", "shop"]).expect_code(0);
    until("the deploy runs", || place.stage().starts().len() == 1);
    let begun = Instant::now();
    let trigger = || program::send(&place, post("/api/v1/pipelines/shop/trigger", "{}"));
    for _ in 0..500 {
        assert_eq!(trigger(), 202);
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    let said = daemon.stderr().matches("was asked for").count();
    assert!((200..=202 + seconds).contains(&said), "{said} lines in {seconds} s");
    until("it says how much it left out", || {
        trigger();
        daemon.said("more like this before it")
    });
}

/// RELIABILITY K6: a secret is rotated while a cycle runs. That cycle still masks the one that it began with;
/// the next one uses the new.
#[test]
fn k6_a_secret_that_is_rotated_during_a_cycle_stays_masked_in_it() {
    const OLD: &str = "the-first-secret-of-all";
    const NEW: &str = "the-secret-that-came-then";
    let uses = "secrets: { token: { file: ../token } }\nwatch:";
    let pipeline = program::PIPELINE.replace("watch:", uses);
    let mut place = Place::new();
    place.write("pipelines/shop.yaml", &pipeline);
    let rotate = |place: &Place, secret: &str| {
        place.write("token", secret);
        fs::set_permissions(place.file("token"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    rotate(&place, OLD);
    let tells = format!(
        "{DEPLOY}echo \"it is $ANDON_SECRET_TOKEN\"\nprintf %s \"$ANDON_SECRET_TOKEN\" >used\n"
    );
    let mut version = files(GOOD);
    version[0].1 = tells;
    place.commit("Tells its secret", &version);
    place.write("stage/hold-before", "");
    let daemon = daemon(&place, &[]);
    place.andon(&["trigger", "shop"]).expect_code(0);
    until("the deploy runs", || place.stage().starts().len() == 1);
    rotate(&place, NEW);
    let other = program::PIPELINE.replace("name: shop", "name: mall");
    place.write("pipelines/mall.yaml", &other);
    daemon.signal(Signal::HUP);
    until("the files were read again", || daemon.said("2 pipelines served"));
    release(&place);
    wait_for_cycles(&place, 1);
    assert_eq!(place.read("stage/used"), OLD);
    place.andon(&["trigger", "shop"]).expect_code(0);
    wait_for_cycles(&place, 2);
    assert_eq!(place.read("stage/used"), NEW);
    for cycle in ["1", "2"] {
        let log = place.andon(&["logs", "shop", cycle]).expect_code(0).stdout;
        assert!(log.contains("it is ***"), "{log}");
    }
    for folder in [".andon", "reports", "logs"] {
        for file in place.files_under(folder) {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            assert!(!text.contains(OLD) && !text.contains(NEW), "{}", file.display());
        }
    }
}

/// RELIABILITY K3, of the log: with everything said that can be said, by libraries too, and with a secret in
/// every place that takes one, none stands in what the daemon wrote.
#[test]
fn k3_a_log_that_says_everything_says_no_secret() {
    let forge = Sink::new();
    let api = forge.url("/api");
    let hook = format!("/hook?key={}", encoded());
    forge.always(&hook, status(500));
    let notify = format!(
        "notify:\n  - slack: {{ url: \"{}?key=${{secret.key}}\" }}\n  - commit_status: {{ forge: gitea, \
         repo: acme/shop, token: \"${{secret.key}}\", api: \"{api}\" }}\n",
        forge.url("/hook")
    );
    let uses = "secrets: { key: { env: CANARY } }\nwatch:";
    let checks = "suite:\n  retries: 0\n  name: P1\n  cases:\n    - id: test_000_key\n      steps:\n        - http: \
                  { url: \"${base_url}/none?key=${secret.key}\", headers: { authorization: \"Bearer ${secret.key}\" } }\n";
    let pipeline = program::PIPELINE.replace("watch:", uses);
    let pipeline = format!("{}{checks}{notify}", pipeline.split("suite:").next().unwrap());
    let mut place = Place::new();
    place.set_env("ANDON_LOG", "trace");
    place.write("pipelines/shop.yaml", &pipeline);
    let mut version = files(GOOD);
    version[0].1 = format!("{DEPLOY}echo \"it is $ANDON_SECRET_KEY\"\n");
    place.commit("Tells its secret", &version);
    let daemon = daemon(&place, &[]);
    place.andon(&["trigger", "shop"]).expect_code(0);
    wait_for_cycles(&place, 1);
    until("the news were tried", || !forge.asked(&hook).is_empty());
    until("that is told", || daemon.said("could not tell by slack"));
    assert!(daemon.said("TRACE"), "libraries say all that they can");
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);
    for folder in ["logs", ".andon", "reports"] {
        for file in place.files_under(folder) {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            for form in [CANARY.to_owned(), encoded()] {
                assert!(!text.contains(&form), "{}", file.display());
            }
        }
    }
}

/// The secret as a component of an address.
fn encoded() -> String {
    CANARY.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
