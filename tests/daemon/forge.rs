//! What a commit's page says of a cycle, from its deploy to its end, whatever happens in between: a
//! stand-in of a forge hears every status, and the last one is never `pending`.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{PIPELINE, daemon, place, state_of};
use crate::sink::Sink;
use crate::support::{Place, Running, until};
use crate::unattended;

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

/// A watched pipeline whose commits hear of it at the three forges.
fn watched(forge: &Sink, settle: &str) -> Place {
    let channel = |kind: &str, root: &str| {
        let api = forge.url(root);
        format!(
            "  - commit_status: {{ forge: {kind}, repo: acme/shop, token: tok-0123456789, api: \"{api}\" }}\n"
        )
    };
    let channels =
        channel("github", "/hub") + &channel("gitlab", "/api/v4") + &channel("gitea", "/api/v1");
    let settled = unattended::PIPELINE.replace("settle: 0s", &format!("settle: {settle}"));
    unattended::place(&format!("{settled}notify:\n{channels}"))
}

/// Of a commit, what the three forges were told, each in its order.
fn heard(forge: &Sink, sha: &str) -> [Vec<String>; 3] {
    [
        format!("/hub/repos/acme/shop/statuses/{sha}"),
        format!("/api/v4/projects/acme%2Fshop/statuses/{sha}"),
        format!("/api/v1/repos/acme/shop/statuses/{sha}"),
    ]
    .map(|path| {
        let asked = forge.asked(&path);
        asked.iter().map(|one| one.json()["state"].as_str().unwrap().to_owned()).collect()
    })
}

/// Whether all forges were told just these, each at least once: what a killed daemon was delivering is
/// delivered again. GitLab has words of its own for the last one.
fn all_heard(forge: &Sink, sha: &str, states: &[&str], gitlab: &str) -> bool {
    let mut own = states.to_vec();
    own[states.len() - 1] = gitlab;
    let mut told = heard(forge, sha);
    told.iter_mut().for_each(Vec::dedup);
    told == [states, &own, states].map(|these| these.to_vec())
}

/// What the last status of a commit says in words.
fn last_words(forge: &Sink, sha: &str) -> String {
    let said = forge.asked(&format!("/hub/repos/acme/shop/statuses/{sha}")).pop().unwrap().json();
    said["description"].as_str().unwrap().to_owned()
}

/// RELIABILITY A11: a commit that waits is pending from when it was taken. A newer one takes its place: it stays pending, also over
/// the death of the daemon, and hears the verdict of the cycle that covers it.
#[test]
fn a_commit_that_is_taken_together_hears_the_verdict_that_covers_it() {
    let forge = Sink::new();
    let mut place = watched(&forge, "0s");
    place.write("stage/hold-before", "");
    let first = daemon(&place, &[]);
    unattended::has_looked(&place, "shop");
    let version = |place: &mut Place, number: usize| {
        let text = format!("{}{}", unattended::GOOD, " ".repeat(number));
        place.commit(&format!("Version {number}"), &unattended::files(&text))
    };
    let runs = version(&mut place, 1);
    until("the deploy runs", || place.stage().starts().len() == 1);
    let waits = version(&mut place, 2);
    until("it is pending", || all_heard(&forge, &waits, &["pending"], "pending"));
    assert_eq!(last_words(&forge, &waits), "waits: 1 before it");
    let newest = version(&mut place, 3);
    until("the newest is pending", || all_heard(&forge, &newest, &["pending"], "pending"));
    let covered = "waits with a newer commit, whose cycle covers it";
    until("it waits with that", || last_words(&forge, &waits) == covered);
    first.kill();
    fs::remove_file(place.file(".andon/daemon.json")).unwrap();
    let _second = daemon(&place, &[]);
    release(&place);
    let ran = unattended::wait_for_cycles(&place, 2);
    assert_eq!(ran[1], (newest.clone(), "green".to_owned()));
    until("all hear the end", || {
        [&runs, &waits, &newest]
            .iter()
            .all(|sha| all_heard(&forge, sha, &["pending", "success"], "success"))
    });
    let end = format!("green, ran 1 of 1: cycle 2 of {}, which covers it", &newest[..7]);
    assert_eq!(last_words(&forge, &waits), end);
}

/// A commit that is covered by a cycle which a person ends hears that, too.
#[test]
fn a_commit_whose_covering_cycle_is_cancelled_hears_so() {
    let forge = Sink::new();
    let mut place = watched(&forge, "2s");
    place.write("stage/hold-before", "");
    let _daemon = daemon(&place, &[]);
    unattended::has_looked(&place, "shop");
    let waits = place.commit("Second version", &unattended::files(unattended::GOOD));
    until("it is pending", || all_heard(&forge, &waits, &["pending"], "pending"));
    place.commit("Third version", &unattended::files(&format!("{} ", unattended::GOOD)));
    until("the deploy runs", || place.stage().starts().len() == 1);
    until("it is covered", || last_words(&forge, &waits).starts_with("cycle 1 runs for "));
    place.andon(&["cancel", "shop"]).expect_code(0);
    until("its end", || all_heard(&forge, &waits, &["pending", "error"], "canceled"));
    let end = last_words(&forge, &waits);
    assert!(end.starts_with("cancelled, ran 0 of 1: cycle 1 of "), "{end}");
}

/// RELIABILITY A13: what ends while the daemon leaves is told before it is gone, not by the next one.
#[test]
fn a_cycle_that_ends_while_the_daemon_leaves_is_told_by_it() {
    let forge = Sink::new();
    let (place, daemon) = pending(&forge);
    daemon.signal(Signal::TERM);
    until("it waits for the end", || daemon.said("waiting for the end for at most"));
    release(&place);
    daemon.wait().expect_code(0);
    assert_eq!(states(&forge, &place), ["pending", "success"]);
}

/// Whatever ends the waiting: a person while no daemon is there, or a branch that is deleted.
#[test]
fn a_commit_that_waits_no_more_hears_so_although_no_cycle_ran() {
    let forge = Sink::new();
    let mut place = watched(&forge, "1h");
    let first = daemon(&place, &[]);
    unattended::has_looked(&place, "shop");
    let cancelled = place.commit("Second version", &unattended::files(unattended::GOOD));
    until("it is pending", || all_heard(&forge, &cancelled, &["pending"], "pending"));
    first.kill();
    fs::remove_file(place.file(".andon/daemon.json")).unwrap();
    place.andon(&["cancel", "shop"]).expect_code(0);
    let _second = daemon(&place, &[]);
    until("its end", || all_heard(&forge, &cancelled, &["pending", "error"], "canceled"));
    let told = forge.asked(&format!("/hub/repos/acme/shop/statuses/{cancelled}"));
    let said = told.last().unwrap().json();
    let why = said["description"].as_str().unwrap();
    assert!(why.starts_with("no cycle runs for it: cancelled by "), "{why}");

    let repo = git2::Repository::open(place.file("repo")).unwrap();
    let deleted = place.commit("Third version", &unattended::files(unattended::GOOD));
    until("it is pending", || all_heard(&forge, &deleted, &["pending"], "pending"));
    repo.set_head_detached(git2::Oid::from_str(&deleted).unwrap()).unwrap();
    repo.find_branch("main", git2::BranchType::Local).unwrap().delete().unwrap();
    until("its end", || all_heard(&forge, &deleted, &["pending", "error"], "canceled"));
    assert_eq!(place.stage().starts().len(), 0);
}
