//! What a commit's page says of a cycle, from its deploy to its end, whatever happens in between: a
//! stand-in of a forge hears every status, and the last one is never `pending`.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{PIPELINE, daemon, place, state_of};
use crate::sink::Sink;
use crate::support::{Place, Running, until};

/// A pipeline whose commits hear of their cycles at `forge`.
fn told(forge: &Sink) -> String {
    let api = forge.url("/api/v1");
    let channel = format!(
        "commit_status: {{ forge: gitea, repo: acme/shop, token: tok-0123456789, api: \"{api}\" }}"
    );
    format!("{PIPELINE}notify: [{{ {channel} }}]\n")
}

/// A daemon that deploys a commit of such a pipeline, which is pending.
fn pending(forge: &Sink) -> (Place, Running) {
    let place = place();
    place.write("pipelines/shop.yaml", &told(forge));
    place.write("stage/hold-before", "");
    let daemon = daemon(&place, &[]);
    place.andon(&["trigger", "shop"]).expect_code(0);
    until("the deploy runs", || place.stage().starts().len() == 1);
    until("the commit is pending", || states(forge, &place) == ["pending"]);
    (place, daemon)
}

/// The statuses of the one commit, in the order in which they came.
fn states(forge: &Sink, place: &Place) -> Vec<String> {
    let path = format!("/api/v1/repos/acme/shop/statuses/{}", place.commits()[0]);
    let state = |body: Value| body["state"].as_str().unwrap().to_owned();
    forge.asked(&path).iter().map(|asked| state(asked.json())).collect()
}

fn release(place: &Place) {
    fs::remove_file(place.file("stage/hold-before")).unwrap();
}

/// RELIABILITY A11.
#[test]
fn a11_a_commit_hears_its_end_though_the_daemon_is_killed() {
    let forge = Sink::new();
    let (place, first) = pending(&forge);
    first.kill();
    fs::remove_file(place.file(".andon/daemon.json")).unwrap();
    let _second = daemon(&place, &[]);
    release(&place);
    until("the commit hears the end", || states(&forge, &place).last().unwrap() == "success");
    assert_eq!(place.stage().starts().len(), 1);
}

#[test]
fn a_commit_whose_cycle_is_cancelled_hears_so() {
    let forge = Sink::new();
    let (place, _daemon) = pending(&forge);
    place.andon(&["cancel", "shop"]).expect_code(0);
    until("the commit hears the end", || states(&forge, &place) == ["pending", "error"]);
}

/// The file goes away while its cycle runs: the daemon still knows whom to tell.
#[test]
fn a_commit_hears_its_end_though_its_pipeline_is_gone() {
    let forge = Sink::new();
    let (place, daemon) = pending(&forge);
    let other = PIPELINE.replace("name: shop", "name: mall");
    place.write("pipelines/mall.yaml", &other);
    fs::remove_file(place.file("pipelines/shop.yaml")).unwrap();
    daemon.signal(Signal::HUP);
    until("it is not served any more", || state_of(&place)["pipeline"] == "mall");
    release(&place);
    until("the commit hears the end", || states(&forge, &place) == ["pending", "success"]);
}

/// The daemon dies, the file goes away, and a person ends the cycle from its records alone: whoever was
/// told "pending" hears it as soon as the file is there again.
#[test]
fn a_commit_hears_its_end_when_its_pipeline_comes_back() {
    let forge = Sink::new();
    let (place, first) = pending(&forge);
    first.kill();
    fs::remove_file(place.file(".andon/daemon.json")).unwrap();
    fs::remove_file(place.file("pipelines/shop.yaml")).unwrap();
    place.andon(&["cancel", "shop", "1"]).expect_code(0);
    assert_eq!(states(&forge, &place), ["pending"], "nobody knows the token now");
    place.write("pipelines/shop.yaml", &told(&forge));
    let _second = daemon(&place, &[]);
    until("the commit hears the end", || states(&forge, &place) == ["pending", "error"]);
}

/// Without a daemon, and with the file at hand, whoever ends the cycle tells the commit.
#[test]
fn a_commit_hears_its_end_from_who_cancels_by_hand() {
    let forge = Sink::new();
    let (place, first) = pending(&forge);
    first.kill();
    fs::remove_file(place.file(".andon/daemon.json")).unwrap();
    place.andon(&["cancel", "shop", "1"]).expect_code(0);
    assert_eq!(states(&forge, &place), ["pending", "error"]);
}
