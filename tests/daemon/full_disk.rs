//! A disk that is really full: the daemon's state lies on a small file system of its own, in a mount
//! namespace that it alone sees. Nothing else is ever filled.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::program::{PIPELINE, place};
use crate::support::{Place, Running, until};

const MOUNT: &str = "mount -t tmpfs -o size=24m none .andon && exec \"$0\" \"$@\"";

/// Whether this machine lets us mount anything; it says so where it does not.
#[allow(clippy::print_stderr)] // A test that looked at nothing must not look like one that passed.
fn may_mount() -> bool {
    let tried =
        Command::new("unshare").args(["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]).status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        eprintln!("SKIPPED: no mount namespaces here, so no disk can be filled");
    }
    may
}

/// A daemon whose state folder has 24 MiB.
struct SmallDisk<'a> {
    place: &'a Place,
    daemon: Running,
    state: PathBuf,
}

impl<'a> SmallDisk<'a> {
    fn start(place: &'a Place) -> Self {
        place.write("andon.yaml", "ballast: 4MiB\n");
        fs::create_dir_all(place.file(".andon")).unwrap();
        let daemon = place.start_within(
            &["unshare", "-Urm", "sh", "-c", MOUNT],
            &["daemon", "--listen", "127.0.0.1:0"],
        );
        let inside = place.file(".andon").strip_prefix("/").unwrap().to_owned();
        let state = PathBuf::from(format!("/proc/{}/root", daemon.pid())).join(inside);
        let disk = Self { place, daemon, state };
        until("the daemon answers", || disk.state.join("daemon.json").exists());
        disk
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut options = OpenOptions::new();
        let mut filler = options.append(true).create(true).open(self.state.join("filler")).unwrap();
        for size in [1 << 20, 4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.state.join("filler")).unwrap();
    }

    fn andon(&self, args: &[&str]) -> crate::support::Done {
        let text = fs::read_to_string(self.state.join("daemon.json")).unwrap();
        let url = serde_json::from_str::<Value>(&text).unwrap()["url"].as_str().unwrap().to_owned();
        self.place.andon(&[args, &["--url", &url]].concat())
    }

    fn status(&self) -> Value {
        self.andon(&["status", "--json"]).expect_code(0).json()
    }

    fn has_ballast(&self) -> bool {
        self.state.join("ballast").metadata().is_ok_and(|file| file.len() == 4 << 20)
    }

    fn newest(&self) -> Value {
        self.status()["pipelines"][0]["latest"].clone()
    }
}

/// RELIABILITY E2, with the whole daemon.
#[test]
fn a_full_disk_stops_new_work_and_heals_by_itself() {
    if !may_mount() {
        return;
    }
    let place = place();
    // Nobody answers there: news that were stored wait, and are counted.
    let notify = "notify: [{ slack: { url: 'http://127.0.0.1:9/' }, on: [held] }]\n";
    place.write("pipelines/shop.yaml", &format!("{PIPELINE}{notify}"));
    place.write("stage/hold-before", "");
    let disk = SmallDisk::start(&place);
    until("the ballast is there", || disk.has_ballast());
    assert_eq!(disk.status()["no_room"], Value::Null);
    disk.andon(&["trigger", "shop"]).expect_code(0);
    until("the deploy runs", || place.stage().starts().len() == 1);
    disk.fill();
    fs::remove_file(place.file("stage/hold-before")).unwrap();

    // What runs comes to its end all the same: nothing that it learnt is lost.
    until("the cycle is green", || disk.newest()["verdict"] == "green");
    until("there is no room", || disk.status()["no_room"]["why"].is_string());
    until("it is news", || disk.status()["news_waiting"] == 1);
    assert!(!disk.has_ballast() && disk.daemon.said("no cycle begins until there is room"));
    let told = disk.andon(&["status"]).expect_code(0);
    assert!(told.stderr.contains("no cycle begins: the disk"), "{}", told.stderr);
    // New work waits.
    disk.andon(&["trigger", "shop"]).expect_code(0);
    until("it waits", || disk.status()["pipelines"][0]["waiting"].as_array().unwrap().len() == 1);
    assert_eq!(place.stage().starts().len(), 1);

    disk.make_room();
    until("the second cycle is green", || {
        let newest = disk.newest();
        newest["cycle"] == 2 && newest["verdict"] == "green"
    });
    assert_eq!(disk.status()["no_room"], Value::Null);
    until("that is news, too", || disk.status()["news_waiting"] == 2);
    until("the ballast is there again", || disk.has_ballast());
}
