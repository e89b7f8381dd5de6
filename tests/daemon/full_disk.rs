//! A disk that is really full: the daemon's state lies on a small file system of its own, in a mount
//! namespace that it alone sees. Nothing else is ever filled.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::client::get;
use crate::program::{PIPELINE, place};
use crate::support::{Done, Place, Running, kill, until};

const MOUNT: &str = "mount -t tmpfs -o size=24m none .andon && exec \"$0\" \"$@\"";
/// Two daemons, one after the other. Neither outlives the test.
const TWO: &str = "mount -t tmpfs -o size=24m none .andon && \
    setpriv --pdeathsig KILL \"$0\" \"$@\"; exec \"$0\" \"$@\"";
/// What a person does on a full disk, then a daemon.
const BY_HAND: &str = r#"
    exec 1>&2
    mount -t tmpfs -o size=24m none .andon && chmod 700 .andon || exit 1
    fill() { head -c 4194304 /dev/zero > .andon/ballast; cat /dev/zero >> .andon/filler; }
    "$0" run pipelines/shop.yaml || exit 1
    fill
    "$0" doctor
    "$0" backup copy.tar && echo "the copy is there"
    "$0" backup .andon/copy.tar
    fill
    "$0" prune && echo "pruned"
    fill
    exec "$0" "$@""#;

/// A daemon on a disk that is full to the last byte, with nothing held ready for that.
const WITHOUT_BALLAST: &str = "mount -t tmpfs -o size=24m none .andon && chmod 700 .andon || exit 1
    cat /dev/zero > .andon/filler 2> /dev/null; exec \"$0\" \"$@\"";

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
        Self::start_by(place, MOUNT)
    }

    fn start_by(place: &'a Place, mount: &str) -> Self {
        place.write("andon.yaml", "ballast: 4MiB\n");
        fs::create_dir_all(place.file(".andon")).unwrap();
        let daemon = place.start_within(
            &["unshare", "-Urm", "sh", "-c", mount],
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

    fn whereabouts(&self) -> Value {
        let text = fs::read_to_string(self.state.join("daemon.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn readiness(&self) -> u16 {
        let url = self.whereabouts()["url"].as_str().unwrap().to_owned();
        let address: std::net::SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(get("/readyz").of(address)).status
    }

    fn andon(&self, args: &[&str]) -> Done {
        let url = self.whereabouts()["url"].as_str().unwrap().to_owned();
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

/// RELIABILITY E2: nothing has to want to write for it to be noticed.
#[test]
fn a_full_disk_is_noticed_without_a_pipeline() {
    if !may_mount() {
        return;
    }
    let place = place();
    fs::remove_file(place.file("pipelines/shop.yaml")).unwrap();
    let disk = SmallDisk::start(&place);
    until("it is ready", || disk.readiness() == 200);
    disk.fill();
    until("it is not ready", || disk.readiness() == 503);
    assert!(disk.status()["no_room"]["why"].as_str().unwrap().contains("full"));
    disk.make_room();
    until("it is ready again", || disk.readiness() == 200);
}

/// RELIABILITY E2: what a look found has no room, and that is the disk's fault, and none of the repository's.
#[test]
fn a_look_that_has_no_room_is_no_fault_of_the_repository() {
    if !may_mount() {
        return;
    }
    let place = place();
    place.write("pipelines/shop.yaml", &PIPELINE.replace("poll: off", "poll: 1s, settle: 0s"));
    let disk = SmallDisk::start(&place);
    let watching = || disk.status()["pipelines"][0]["watching"].clone();
    until("it was looked at", || watching()["last_good_at"].is_string());
    disk.fill();
    // More than what the ballast gives up, and nothing that could be packed well.
    let mut random = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        char::from(b'0' + (random >> 58) as u8)
    })
    .take(7 << 20)
    .collect();
    commit_to(&place, &noise);
    until("a look had no room", || disk.daemon.said("the disk has no room for what a look"));
    until("there is no room", || disk.status()["no_room"]["why"].is_string());
    let seen = watching();
    assert_eq!((&seen["error"], &seen["failing_since"]), (&Value::Null, &Value::Null), "{seen}");
    disk.make_room();
    until("the commit is green", || disk.newest()["verdict"] == "green");
    assert!(!disk.daemon.said("cannot look at the repository"));
}

/// RELIABILITY E2: a daemon starts on a disk that has no room even for its records, says so, and goes on
/// by itself.
#[test]
fn a_daemon_without_room_for_its_records_waits_and_says_so() {
    if !may_mount() {
        return;
    }
    let place = place();
    fs::create_dir_all(place.file(".andon")).unwrap();
    let start = || {
        let within = ["unshare", "-Urm", "sh", "-c", WITHOUT_BALLAST];
        let daemon = place.start_within(&within, &["daemon", "--listen", "127.0.0.1:0"]);
        until("it waits for room", || daemon.said("until there is room"));
        daemon
    };
    let daemon = start();
    let said = daemon.stderr();
    let (_, rest) = said.split_once("served at http://").unwrap();
    let address: std::net::SocketAddr = rest.split(' ').next().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |path: &str| runtime.block_on(get(path).of(address));
    let alive = ask("/healthz").is(200).text();
    assert!(alive.contains("no space is left"), "{alive}");
    let problem = ask("/readyz").is(503).json();
    assert!(problem["detail"].as_str().unwrap().contains("no space is left"), "{problem}");
    assert!(problem["help"].as_str().unwrap().contains("by itself"), "{problem}");
    ask("/api/v1/status").is(503);
    let inside = place.file(".andon").strip_prefix("/").unwrap().to_owned();
    let state = PathBuf::from(format!("/proc/{}/root", daemon.pid())).join(inside);
    fs::remove_file(state.join("filler")).unwrap();
    // Who connects while the one server takes over from the other may get no answer.
    let perhaps = || runtime.block_on(get("/readyz").perhaps_of(address));
    until("it is ready", || perhaps().is_some_and(|reply| reply.status == 200));
    ask("/api/v1/status").is(200);
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);
    // An end that is asked for meanwhile is one in order.
    let daemon = start();
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);
}

/// Commits a file in the repository that is watched.
fn commit_to(place: &Place, text: &str) {
    place.write("repo/noise", text);
    for args in [&["add", "noise"][..], &["commit", "-q", "-m", "Noise"]] {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let mut git = Command::new("git");
        git.args(["-C"]).arg(place.file("repo")).args(identity).args(args);
        assert!(git.status().unwrap().success());
    }
}

/// RELIABILITY E2: a want of room and its end are told in pairs, over a restart, too.
#[test]
fn the_next_daemon_tells_the_end_of_what_the_last_one_told() {
    if !may_mount() {
        return;
    }
    let place = place();
    let notify = "notify: [{ slack: { url: 'http://127.0.0.1:9/' }, on: [held] }]\n";
    place.write("pipelines/shop.yaml", &format!("{PIPELINE}{notify}"));
    let disk = SmallDisk::start_by(&place, TWO);
    until("the ballast is there", || disk.has_ballast());
    disk.fill();
    until("it is news", || disk.status()["news_waiting"] == 1);
    let first = disk.whereabouts()["pid"].as_i64().unwrap();
    kill(i32::try_from(first).unwrap(), Signal::KILL);
    // The second finds no ballast, and says what the first one said.
    until("another daemon answers", || {
        disk.whereabouts()["pid"] != first && disk.readiness() == 503
    });
    disk.fill();
    assert_eq!(disk.status()["news_waiting"], 1);
    disk.make_room();
    until("it is ready", || disk.readiness() == 200);
    until("that is news, too", || disk.status()["news_waiting"] == 2);
    until("the ballast is there again", || disk.has_ballast());
}

/// RELIABILITY E2, by hand: what makes room and what saves the records work on a full disk, and a daemon
/// starts there.
#[test]
fn commands_that_help_work_on_a_full_disk() {
    if !may_mount() {
        return;
    }
    let place = place();
    let disk = SmallDisk::start_by(&place, BY_HAND);
    let said = disk.daemon.stderr();
    let count = |text: &str| said.matches(text).count();
    assert_eq!(count("no cycle begins"), 1, "{said}");
    assert!(
        count("`andon prune` works there, too") == 1 && count("the copy is there") == 1,
        "{said}"
    );
    assert!(count("no space is left for the copy") == 1 && count("pruned") == 1, "{said}");
    until("there is no room", || disk.readiness() == 503);
    assert_eq!(disk.newest()["verdict"], "green", "what was recorded is there");
    disk.make_room();
    until("it is ready", || disk.readiness() == 200);
    until("the ballast is there again", || disk.has_ballast());
}
