//! The daemon at its work: from a webhook to the deploy, many at once, looks at remotes, its start.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use andon::domain::event::{Event, Finished};
use andon::domain::outcome::Verdict;
use andon::pipeline;
use andon::store::{Append, Projection};
use anyhow::{Context as _, Result, bail};

use super::flood;
use super::ledger;
use super::living::{Estate, Living};
use super::options::Options;
use super::pages;
use super::table::{self, Spread};

/// Hooks one after another.
const HOOKS: usize = 100;
/// Pipelines in a burst.
const BURST: usize = 200;
/// Repositories that are looked at.
const REPOSITORIES: usize = 1_000;
/// How often they are; the jitter of looks is even on both sides.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Cycles in a ledger that a daemon starts with, of ten pipelines.
const STORED: usize = 10_000;
/// How long an idle daemon is watched.
const IDLE: Duration = Duration::from_secs(60);
/// What waits, if nothing comes, has failed.
const LONGEST: Duration = Duration::from_secs(60);

/// A deploy whose first line goes to whoever waits for it.
const FIRST_LINE: &str = "deploy: { steps: [{ name: Say so, run: 'echo \"$ANDON_PIPELINE\" >\"$SAY_TO\"', env: { SAY_TO: \"FIFO\" } }] }\n";

/// Measures and prints everything that was asked for.
pub fn print(options: &Options) -> Result<()> {
    let wants = |name: &str| name.starts_with(&options.only);
    if wants("hook-to-deploy") {
        hook_to_deploy()?;
    }
    if wants("burst") {
        burst(options.rounds)?;
    }
    if wants("looks") {
        looks()?;
    }
    if wants("idle-1") {
        idle(1, 16.0)?;
    }
    if wants("idle-100") {
        idle(100, 30.0)?;
    }
    if wants("start") {
        start(options.rounds, false)?;
        start(options.rounds, true)?;
    }
    flood::print(options)?;
    pages::print(options)
}

/// Where deploys say that they have begun.
struct Finish {
    path: PathBuf,
    lines: Receiver<(Instant, String)>,
}

impl Finish {
    fn new(estate: &Estate) -> Result<Self> {
        let path = estate.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0)?;
        // Open for both, so that it has an end only with us.
        let file = File::options().read(true).write(true).open(&path)?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { path, lines })
    }

    /// A deploy that says so here.
    fn deploy(&self) -> String {
        FIRST_LINE.replace("FIFO", &self.path.display().to_string())
    }

    fn next(&self) -> Result<(Instant, String)> {
        self.lines.recv_timeout(LONGEST).context("no deploy begins")
    }
}

/// A webhook to the first line of the deploy, in a fresh checkout.
fn hook_to_deploy() -> Result<()> {
    let estate = Estate::new()?;
    let finish = Finish::new(&estate)?;
    estate.add("shop", "off", &finish.deploy())?;
    let living = Living::start(&estate, &[])?;
    living.settle(1)?;
    let mut client = living.client()?;
    let mut took = Vec::new();
    for number in 0..=HOOKS {
        estate.commit("shop")?;
        let sent = Instant::now();
        accepted(client.hook("shop")?)?;
        let (begun, _) = finish.next()?;
        // The first one finds everything cold.
        if number > 0 {
            took.push(begun.duration_since(sent));
        }
        living.settle(1)?;
    }
    let spread = Spread::new(took);
    let bar = [
        table::word(spread.part(50) < Duration::from_millis(15), "p50 under 15 ms".to_owned()),
        table::word(spread.part(99) < Duration::from_millis(60), "p99 under 60 ms".to_owned()),
    ];
    table::print_plain("hook-to-deploy: first line", &spread.to_string(), &bar.join(", "));
    Ok(())
}

fn accepted(status: u16) -> Result<()> {
    if status == 202 { Ok(()) } else { bail!("a webhook was answered with {status}") }
}

/// As many pipelines as hooks, all at once.
fn burst(rounds: usize) -> Result<()> {
    let estate = Estate::new()?;
    let finish = Finish::new(&estate)?;
    let names: Vec<String> = (0..BURST).map(|number| format!("shop-{number:03}")).collect();
    for name in &names {
        estate.add(name, "off", &finish.deploy())?;
    }
    let living = Living::start(&estate, &[])?;
    living.settle(BURST)?;
    let mut took = Vec::new();
    for round in 0..=rounds {
        for name in &names {
            estate.commit(name)?;
        }
        let mut client = living.client()?;
        let sent = Instant::now();
        for name in &names {
            accepted(client.hook(name)?)?;
        }
        let mut last = sent;
        let mut missing: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        while !missing.is_empty() {
            let (at, name) = finish.next().with_context(|| format!("{missing:?} were lost"))?;
            if !missing.remove(name.as_str()) {
                bail!("{name} was deployed twice");
            }
            last = at;
        }
        if round > 0 {
            took.push(last.duration_since(sent));
        }
        living.settle(BURST)?;
    }
    let spread = Spread::new(took);
    let bar = table::word(spread.part(50) < Duration::from_secs(3), "under 3 s".to_owned());
    table::print_plain("burst: 200 hooks, last deploy", &spread.to_string(), &bar);
    Ok(())
}

/// Looks at many local repositories in which nothing moved.
fn looks() -> Result<()> {
    let estate = Estate::new()?;
    for number in 0..REPOSITORIES {
        let every = format!("{}s", LOOK_EVERY.as_secs());
        estate.add(
            &format!("shop-{number:04}"),
            &every,
            "deploy: { steps: [{ name: Nothing, run: \"true\" }] }\n",
        )?;
    }
    let living = Living::start(&estate, &[])?;
    living.settle(REPOSITORIES)?;
    // Each look comes so often within the time, give or take its jitter.
    let times = 3;
    std::thread::sleep(LOOK_EVERY);
    let before = living.process().cpu();
    std::thread::sleep(LOOK_EVERY * times);
    let cpu = (living.process().cpu() - before) / times;
    let figure = format!(
        "{:.2} s of CPU, {:.1} MiB resident",
        cpu.as_secs_f64(),
        living.process().resident_mib()
    );
    let bar = table::word(cpu < Duration::from_millis(300), "under 0.3 s".to_owned());
    table::print_plain("looks: 1,000 repositories once", &figure, &bar);
    Ok(())
}

/// A daemon that looks each half minute and has nothing to do.
fn idle(pipelines: usize, mib: f64) -> Result<()> {
    let estate = Estate::new()?;
    for number in 0..pipelines {
        estate.add(
            &format!("shop-{number:03}"),
            "30s",
            "deploy: { steps: [{ name: Nothing, run: \"true\" }] }\n",
        )?;
    }
    let living = Living::start(&estate, &[])?;
    living.settle(pipelines)?;
    // The threads that opened the mirrors are gone by then.
    std::thread::sleep(Duration::from_secs(15));
    let before = living.process().cpu();
    std::thread::sleep(IDLE);
    let share = (living.process().cpu() - before).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    let resident = living.process().resident_mib();
    let figure = format!(
        "{resident:.1} MiB resident (at most {:.1}), {share:.2} % of a core",
        living.process().peak_mib()
    );
    let bar = [
        table::word(resident < mib, format!("under {mib} MiB")),
        table::word(share < 0.5, "under 0.5 %".to_owned()),
    ];
    table::print_plain(&format!("idle-{pipelines}: looks each 30 s"), &figure, &bar.join(", "));
    Ok(())
}

/// From the start to the first answer.
fn start(rounds: usize, with_records: bool) -> Result<()> {
    let estate = Estate::new()?;
    let stored = if with_records { STORED } else { 0 };
    for number in 0..10 {
        let name = format!("shop-{number}");
        estate.add(&name, "off", "deploy: { steps: [{ name: Nothing, run: \"true\" }] }\n")?;
        store_cycles(&estate, &name, stored / 10)?;
    }
    let mut took = Vec::new();
    for round in 0..=rounds {
        let living = Living::start(&estate, &[])?;
        if round > 0 {
            took.push(living.served_after);
        }
    }
    let spread = Spread::new(took);
    let limit = Duration::from_millis(if with_records { 150 } else { 50 });
    let bar = table::word(spread.part(50) < limit, format!("under {} ms", limit.as_millis()));
    table::print_plain(&format!("start: {stored} stored cycles"), &spread.to_string(), &bar);
    Ok(())
}

/// Cycles of fifty cases each that are over.
fn store_cycles(estate: &Estate, name: &str, count: usize) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let read = |path: &std::path::Path, _limit: u64| std::fs::read(path);
    let loaded = pipeline::load(&read, &estate.path().join(format!("pipelines/{name}.yaml")));
    let pipeline = loaded.pipeline.context("the pipeline is valid")?;
    std::fs::create_dir_all(estate.path().join("state"))?;
    ledger::block_on(async {
        let store = ledger::open(estate.path()).await?;
        for _ in 0..count {
            let (cycle, _) = store.create_cycle(ledger::queued(&pipeline), ledger::now()).await?;
            let attempts = (0..50).map(|number| {
                anyhow::Ok(Event::AttemptFinished(Box::new(ledger::attempt(number, 1)?)))
            });
            let mut events = attempts.collect::<Result<Vec<_>>>()?;
            events.push(Event::Finished(Finished { verdict: Verdict::Green, void_reason: None }));
            let (at, projection) = (ledger::now(), Projection::default());
            store
                .append(Append { cycle, expected_seq: 1, lease: None, events, at, projection })
                .await?;
        }
        store.close().await;
        Ok(())
    })
}
