//! `kill -9` at random moments, while commits come and people ask for cycles: of the daemon, of the
//! supervisor of a deploy, of both. Two oracles stand outside: the deploy script leaves a line for
//! each start, and the staging counts what it is asked. A third is what the daemon told before it died.
//!
//! `scripts/kills` runs as many as one likes. A seed gives the same choices again, not the same moments.

#![allow(clippy::print_stdout)] // The seed of a run that failed must be known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{CommitFiles, Place, Running, alive, kill, until};

/// So many in the usual run of all tests; `ANDON_KILLS` says otherwise.
const KILLS: u64 = 50;
/// `ANDON_KILLS_SEED` says otherwise.
const SEED: u64 = 20_261_127;
/// All cycles have come to their end so long after the last kill.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);

const PIPELINE: &str = r#"version: 1
name: shop
environment: staging
vars:
  stage: "${env.STAGE_DIR}"
  base_url: "http://${env.STAGE_ADDRESS}"
watch: { repo: ../repo, branches: [main], poll: 1s, settle: 0s }
deploy:
  steps: [{ name: Roll out, run: [./deploy.sh], timeout: 60s }]
ready:
  timeout: 60s
  every: 20ms
  successes: 2
  revision:
    - { surface: api, http: { url: "${base_url}/version" }, value: json $.revision }
suite:
  name: P1
  retries: 0
  concurrency: 1
  cases:
    - { id: one, steps: [{ http: { url: "${base_url}/case/one/${cycle}" } }] }
    - { id: two, steps: [{ http: { url: "${base_url}/case/two/${cycle}" } }] }
    - { id: three, steps: [{ http: { url: "${base_url}/case/three/${cycle}" } }] }
"#;
const ANSWERS: &str = r#"{ "routes": { "/case/*": [{ "text": "ok", "wait_ms": 40 }] } }"#;
const DEPLOY: &str = r#"#!/bin/sh
set -eu
cd "$ANDON_VAR_STAGE"
echo "cycle $ANDON_CYCLE" >>starts
sleep 0.05
cp "$ANDON_CHECKOUT/stage.yaml" stage.new
mv stage.new stage.yaml
printf %s "$ANDON_REVISION" >revision.new
mv revision.new revision
sleep 0.05
"#;

/// SplitMix64: any generator will do that a seed brings back.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Daemon,
    Supervisor,
    Both,
}

/// A daemon and whoever listens to it.
struct Life {
    daemon: Running,
    over: Arc<AtomicBool>,
    listener: JoinHandle<()>,
}

/// Events by their id, as the daemon told them.
type Told = Arc<Mutex<BTreeMap<String, Value>>>;

struct Trial {
    place: Place,
    dice: Dice,
    life: Option<Life>,
    told: Told,
    /// How often the staging was asked for a case by the time that its result had been told.
    requests: BTreeMap<String, u64>,
    /// Triggers that were acknowledged, by their keys.
    keys: Vec<String>,
    /// What a person said of held cycles.
    decisions: BTreeMap<u64, Vec<&'static str>>,
    hits: BTreeMap<Victim, u64>,
}

#[test]
fn a15_kill_9_at_random_moments_loses_nothing_doubles_nothing_and_leaves_nothing_stuck() {
    let (kills, seed) = (number("ANDON_KILLS", KILLS), number("ANDON_KILLS_SEED", SEED));
    println!("{kills} kills, ANDON_KILLS_SEED={seed}");
    let mut trial = Trial::new(seed);
    let mut done = 0;
    while done < kills {
        trial.something_comes();
        sleep(Duration::from_millis(trial.dice.below(500)));
        trial.decide_about_held();
        done += u64::from(trial.strike());
    }
    let newest = trial.commit();
    trial.settle(&newest);
    println!("{:?}, decisions: {:?}", trial.hits, trial.decisions);
    trial.check();
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().map_or(otherwise, |text| text.parse().unwrap())
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut place = Place::new();
        place.write("pipelines/shop.yaml", PIPELINE);
        place.commit("First version", &files(0));
        let mut trial = Self {
            place,
            dice: Dice(seed),
            life: None,
            told: Told::default(),
            requests: BTreeMap::new(),
            keys: Vec::new(),
            decisions: BTreeMap::new(),
            hits: BTreeMap::new(),
        };
        trial.revive();
        until("it has looked", || {
            trial.status().is_some_and(|now| now["watching"]["last_good_at"].is_string())
        });
        trial
    }

    fn revive(&mut self) {
        // The one that was killed could not take it away.
        let _ = fs::remove_file(self.place.file(".andon/daemon.json"));
        let daemon = self.place.start(&["daemon", "--listen", "127.0.0.1:0"]);
        let over = Arc::new(AtomicBool::new(false));
        let (file, told, stop) =
            (self.place.file(".andon/daemon.json"), Arc::clone(&self.told), Arc::clone(&over));
        let listener = thread::spawn(move || listen(&file, &told, &stop));
        self.life = Some(Life { daemon, over, listener });
    }

    fn commit(&mut self) -> String {
        let number = self.place.commits().len();
        self.place.commit(&format!("Commit {number}"), &files(number))
    }

    fn something_comes(&mut self) {
        match self.dice.below(8) {
            0..=3 => drop(self.commit()),
            4 | 5 => {
                let key = format!("key-{}", self.keys.len());
                // Refused or not heard is not acknowledged.
                if self.place.andon(&["trigger", "shop", "--key", &key]).code == Some(0) {
                    self.keys.push(key);
                }
            }
            _ => {}
        }
    }

    /// What the pipeline does now, if the daemon answers.
    fn status(&self) -> Option<Value> {
        let status = ask(&self.place.file(".andon/daemon.json"), "/api/v1/status")?;
        Some(status["pipelines"][0].clone())
    }

    fn decide_about_held(&mut self) {
        let Some(now) = self.status().filter(|now| now["state"] == "held") else { return };
        let cycle = now["latest"]["cycle"].as_u64().unwrap();
        let decision = ["failed", "rerun"][usize::try_from(self.dice.below(2)).unwrap()];
        let resume = ["resume", "shop", &cycle.to_string(), "--as", decision];
        if self.place.andon(&resume).code == Some(0) {
            self.decisions.entry(cycle).or_default().push(decision);
        }
    }

    /// Kills, and answers whether there was somebody to kill.
    fn strike(&mut self) -> bool {
        self.note_requests();
        let mut victim = match self.dice.below(10) {
            0..=4 => Victim::Daemon,
            5..=7 => Victim::Supervisor,
            _ => Victim::Both,
        };
        let supervisors = match victim {
            Victim::Daemon => Vec::new(),
            Victim::Supervisor | Victim::Both => self.await_supervisors(),
        };
        match (victim, supervisors.is_empty()) {
            (Victim::Supervisor, true) => return false,
            (Victim::Both, true) => victim = Victim::Daemon,
            (Victim::Supervisor | Victim::Both, false) | (Victim::Daemon, _) => {}
        }
        if victim != Victim::Supervisor {
            let life = self.life.take().unwrap();
            life.daemon.kill();
            life.over.store(true, Ordering::Relaxed);
            life.listener.join().unwrap();
        }
        supervisors.iter().for_each(|pid| kill(*pid, Signal::KILL));
        *self.hits.entry(victim).or_default() += 1;
        if self.life.is_none() {
            self.revive();
        }
        true
    }

    /// Supervisors of this place; waits a little for one, at a moment of its deploy that varies.
    fn await_supervisors(&mut self) -> Vec<i32> {
        let into_deploy = Duration::from_millis(self.dice.below(120));
        let give_up = Instant::now() + Duration::from_millis(400);
        while supervisors(&self.place).is_empty() && Instant::now() < give_up {
            sleep(Duration::from_millis(2));
        }
        sleep(into_deploy);
        supervisors(&self.place)
    }

    /// A case whose result was told must never be asked for again.
    fn note_requests(&mut self) {
        for (id, event) in self.told.lock().unwrap().iter() {
            if event["kind"] == "attempt_finished" {
                let path = path_of(id, event);
                let count = self.place.stage().requests(&path);
                self.requests.entry(path).or_insert(count);
            }
        }
    }

    /// Waits until nothing is left to do.
    fn settle(&mut self, newest: &str) {
        let give_up = Instant::now() + SETTLED_WITHIN;
        loop {
            self.decide_about_held();
            let is_idle = self.status().is_some_and(|now| now["state"] == "idle");
            if is_idle && self.fates().get(newest).is_some_and(|fate| fate == "tested") {
                return self.note_requests();
            }
            assert!(Instant::now() < give_up, "something is stuck: {:#}", self.status().unwrap());
            sleep(Duration::from_millis(100));
        }
    }

    /// What became of each commit.
    fn fates(&self) -> BTreeMap<String, String> {
        let limit = (self.place.commits().len() + 1).to_string();
        let commits = self.place.andon(&["commits", "shop", "--limit", &limit, "--json"]);
        let list = commits.expect_code(0).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        list.as_array().unwrap().iter().map(|one| (text(&one["sha"]), text(&one["is"]))).collect()
    }

    fn check(&mut self) {
        let cycles = self.cycles_are_over();
        self.no_deploy_was_started_twice();
        self.what_was_told_is_there(cycles);
        let fates = self.fates();
        for sha in &self.place.commits()[1..] {
            let fate = fates.get(sha).map_or("unknown", String::as_str);
            assert!(["tested", "taken_together"].contains(&fate), "{sha} is {fate}");
        }
        for key in std::mem::take(&mut self.keys) {
            let again = self.place.andon(&["trigger", "shop", "--key", &key, "--json"]);
            let again = again.expect_code(0).json();
            assert!(again["cycle"].is_number(), "{key} was acknowledged, and became {again}");
        }
        self.place.andon(&["doctor"]).expect_code(0);
        let rebuilt = self.place.andon(&["report", "shop", "--rebuild", "--json"]).expect_code(0);
        assert_eq!(rebuilt.json()["written"], 0, "every report is as its records say");
    }

    /// Every cycle came to the verdict that it must have; how many there are.
    fn cycles_are_over(&self) -> u64 {
        let list = self.place.andon(&["cycles", "shop", "--limit", "100000", "--json"]);
        let list = list.expect_code(0).json();
        let list = list.as_array().unwrap();
        for cycle in list {
            let number = cycle["cycle"].as_u64().unwrap();
            let said = self.decisions.get(&number).and_then(|said| said.last());
            let wanted = if said == Some(&"failed") { "deploy_failed" } else { "green" };
            assert_eq!(cycle["verdict"], wanted, "cycle {number}, of which was said {said:?}");
        }
        let numbers: BTreeSet<u64> = list.iter().filter_map(|one| one["cycle"].as_u64()).collect();
        assert_eq!(numbers, (1..=list.len() as u64).collect(), "numbers are given out once");
        list.len() as u64
    }

    fn no_deploy_was_started_twice(&self) {
        let mut starts: BTreeMap<u64, usize> = BTreeMap::new();
        for line in self.place.stage().starts() {
            let cycle = line.strip_prefix("cycle ").unwrap().parse().unwrap();
            *starts.entry(cycle).or_default() += 1;
        }
        for (cycle, count) in starts {
            let said = self.decisions.get(&cycle).into_iter().flatten();
            let allowed = 1 + said.filter(|said| **said == "rerun").count();
            assert!(count <= allowed, "cycle {cycle} was deployed {count} times, not {allowed}");
        }
    }

    /// Everything that was told is in the ledger as it was told, and was not done again.
    fn what_was_told_is_there(&self, cycles: u64) {
        let file = self.place.file(".andon/daemon.json");
        let mut ledger: BTreeMap<String, Value> = BTreeMap::new();
        for cycle in 1..=cycles {
            let path = format!("/api/v1/pipelines/shop/cycles/{cycle}/events?limit=500");
            let page = ask(&file, &path).expect("the daemon answers");
            assert_eq!(page["more"], false);
            for event in page["events"].as_array().unwrap() {
                ledger.insert(format!("shop/{cycle}/{}", event["seq"]), event["event"].clone());
            }
        }
        let told = self.told.lock().unwrap();
        assert!(!told.is_empty(), "the listener heard something");
        for (id, event) in told.iter() {
            assert_eq!(ledger.get(id), Some(event), "{id} was told before a kill");
        }
        for (path, count) in &self.requests {
            let now = self.place.stage().requests(path);
            assert_eq!(now, *count, "{path} was final, and is asked for again");
        }
        let mut finished: BTreeMap<String, u64> = BTreeMap::new();
        for (id, event) in ledger.iter().filter(|(_, event)| event["kind"] == "attempt_finished") {
            *finished.entry(path_of(id, event)).or_default() += 1;
        }
        assert!(finished.values().all(|count| *count == 1), "final once: {finished:?}");
        println!("{} events were told of {} in {cycles} cycles", told.len(), ledger.len());
    }
}

fn files(number: usize) -> CommitFiles {
    vec![
        ("deploy.sh".to_owned(), DEPLOY.to_owned(), true),
        ("stage.yaml".to_owned(), format!("{ANSWERS}{}", " ".repeat(number)), false),
    ]
}

/// Where the case of an event is asked for; the event's id is `shop/CYCLE/SEQ`.
fn path_of(id: &str, event: &Value) -> String {
    let cycle = id.split('/').nth(1).unwrap();
    format!("/case/{}/{cycle}", event["case"].as_str().unwrap())
}

/// Processes that supervise a deploy of this place.
fn supervisors(place: &Place) -> Vec<i32> {
    let folder = place.path().display().to_string();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).into_owned();
        let is_ours = words.starts_with("andon\0supervise\0") && words.contains(&folder);
        (is_ours && alive(pid)).then_some(pid)
    });
    pids.collect()
}

/// A connection to the daemon that a file names, with a request on it. HTTP/1.0, so that what comes
/// back is not cut into chunks.
fn request(file: &PathBuf, path: &str) -> Option<TcpStream> {
    let daemon: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let address = daemon["url"].as_str()?.strip_prefix("http://")?.to_owned();
    let mut stream = TcpStream::connect(&address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
    Some(stream)
}

/// What the daemon answers, if it lives long enough.
fn ask(file: &PathBuf, path: &str) -> Option<Value> {
    let mut text = String::new();
    request(file, path)?.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}

/// Listens to a daemon from its first answer to its death.
fn listen(file: &PathBuf, told: &Told, over: &AtomicBool) {
    let mut stream = request(file, "/api/v1/events");
    while stream.is_none() && !over.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(5));
        stream = request(file, "/api/v1/events");
    }
    let Some(stream) = stream else { return };
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut data = None;
    for line in lines {
        if let Some(text) = line.strip_prefix("data: ") {
            data = serde_json::from_str::<Value>(text).ok();
        } else if let Some(id) = line.strip_prefix("id: ") {
            // An event is told when its line of the id came whole: it stands behind the data.
            let event = data.take().expect("an event has data");
            told.lock().unwrap().insert(id.to_owned(), event["event"].clone());
        }
    }
}
