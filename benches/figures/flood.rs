//! Too much of something: webhooks, forged ones, output, processes that want to stay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::living::{Estate, Living, Process, until};
use super::options::Options;
use super::table::{self, Spread};

/// Webhooks of each kind.
const HOOKS: usize = 10_000;
/// Connections on which they come.
const CONNECTIONS: usize = 8;
/// Processes that a deploy leaves behind.
const ESCAPED: usize = 500;
/// The deploy that leaves them behind is ended after so long.
const DEPLOY_TIME: Duration = Duration::from_secs(8);
/// What a supervisor gives between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);
/// How often memory is looked at while output flows.
const LOOK: Duration = Duration::from_millis(20);

/// Measures and prints everything that was asked for.
pub fn print(options: &Options) -> Result<()> {
    let wants = |name: &str| name.starts_with(&options.only);
    if wants("flood") {
        hooks()?;
    }
    if wants("output") {
        output(options.output_gb)?;
    }
    if wants("escaped") {
        escaped()?;
    }
    Ok(())
}

/// Signed webhooks, and then forged ones, as fast as they are answered.
fn hooks() -> Result<()> {
    let estate = Estate::new()?;
    estate.add("shop", "off", "deploy: { steps: [{ name: Nothing, run: \"true\" }] }\n")?;
    let living = Living::start(&estate, &[])?;
    living.settle(1)?;
    send(&living, 100, None)?;
    let before = living.process().resident_mib();
    let started = Instant::now();
    let signed = send(&living, HOOKS, None)?;
    let wall = started.elapsed();
    let refused = signed.iter().filter(|(status, _)| *status != 202).count();
    let spread = Spread::new(signed.into_iter().map(|(_, took)| took).collect());
    let after = living.process().resident_mib();
    let figure = format!(
        "{:.1} s in all, {refused} refused, {spread}, {before:.1} → {after:.1} MiB",
        wall.as_secs_f64()
    );
    let bar = [
        table::word(refused == 0, "none refused".to_owned()),
        table::word(wall < Duration::from_secs(60), "within 60 s".to_owned()),
        table::word(spread.part(99) < Duration::from_secs(1), "p99 under 1 s".to_owned()),
    ];
    table::print_plain("flood: 10,000 signed hooks", &figure, &bar.join(", "));
    let forged = send(&living, HOOKS, Some("another secret"))?;
    let accepted = forged.iter().filter(|(status, _)| *status < 400).count();
    let peak = living.process().resident_mib();
    let figure = format!("{accepted} accepted, {after:.1} → {peak:.1} MiB");
    let bar = [
        table::word(accepted == 0, "none accepted".to_owned()),
        table::word(peak < after + 2.0, "memory flat (2 MiB)".to_owned()),
    ];
    table::print_plain("flood: 10,000 forged hooks", &figure, &bar.join(", "));
    Ok(())
}

/// Sends webhooks on some connections; the status of each, and how long its answer took.
fn send(living: &Living, count: usize, secret: Option<&str>) -> Result<Vec<(u16, Duration)>> {
    let one = || -> Result<Vec<(u16, Duration)>> {
        let mut client = living.client()?;
        let mut answers = Vec::new();
        for _ in 0..count / CONNECTIONS {
            let sent = Instant::now();
            let status = match secret {
                Some(secret) => client.hook_signed_with("shop", secret)?,
                None => client.hook("shop")?,
            };
            answers.push((status, sent.elapsed()));
        }
        Ok(answers)
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        let mut all = Vec::new();
        for sender in senders {
            all.extend(sender.join().expect("a sender does not panic")?);
        }
        Ok(all)
    })
}

/// Gigabytes of output of a deploy, in one line that never ends.
fn output(gb: u64) -> Result<()> {
    let estate = Estate::new()?;
    let run = format!("head -c {} /dev/zero | tr '\\\\0' x", gb * 1_000_000_000);
    estate.add(
        "shop",
        "off",
        &format!("deploy: {{ steps: [{{ name: Talk, run: \"{run}\", timeout: 1h }}] }}\n"),
    )?;
    let living = Living::start(&estate, &[])?;
    living.settle(1)?;
    let before = living.process().resident_mib();
    let started = Instant::now();
    let (ours, supervisor) = most_memory(&living, &estate, || {
        living.client()?.trigger("shop")?;
        until("the deploy begins", LOOK, || Ok(!supervisors(&estate).is_empty()))?;
        let give_up = Instant::now() + Duration::from_secs(60 * (1 + gb));
        while !supervisors(&estate).is_empty() {
            if Instant::now() > give_up {
                bail!("the deploy does not end");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    })?;
    let took = started.elapsed().as_secs_f64();
    living.settle(1)?;
    let more = ours - before + supervisor;
    let figure = format!(
        "{more:.1} MiB more: the daemon {before:.1} → {ours:.1}, its supervisor {supervisor:.1}; {took:.1} s"
    );
    let bar = table::word(more <= 64.0, "at most 64 MiB more".to_owned());
    table::print_plain(&format!("output: {gb} GB of a deploy"), &figure, &bar);
    Ok(())
}

/// The most that is resident of the daemon, and of a supervisor, while some work is done; in MiB.
fn most_memory(
    living: &Living,
    estate: &Estate,
    work: impl FnOnce() -> Result<()>,
) -> Result<(f64, f64)> {
    let (over, daemon) = (AtomicBool::new(false), living.process());
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut ours, mut supervisor) = (0f64, 0f64);
            while !over.load(Ordering::Relaxed) {
                let peaks = supervisors(estate).into_iter().map(Process::peak_mib);
                supervisor = peaks.fold(supervisor, f64::max);
                ours = ours.max(daemon.resident_mib());
                std::thread::sleep(LOOK);
            }
            (ours, supervisor)
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        let most = watcher.join().expect("the watcher does not panic");
        done.map(|()| most)
    })
}

fn supervisors(estate: &Estate) -> Vec<Process> {
    Process::of("andon supervise", estate.path())
}

/// Processes in sessions of their own that ignore TERM, of a deploy that takes too long.
fn escaped() -> Result<()> {
    let estate = Estate::new()?;
    let run = format!(
        "trap '' TERM; for n in $(seq {ESCAPED}); do setsid sleep 600 & done; touch \"$ANDON_VAR_HERE/begun\"; wait"
    );
    let here = estate.path().display();
    estate.add(
        "shop",
        "off",
        &format!(
            "vars: {{ here: \"{here}\" }}\ndeploy: {{ steps: [{{ name: Stay, run: {run:?}, timeout: {}s }}] }}\n",
            DEPLOY_TIME.as_secs()
        ),
    )?;
    let living = Living::start(&estate, &[])?;
    living.settle(1)?;
    living.client()?.trigger("shop")?;
    let checkouts = estate.path().join("state");
    until("the deploy begins", Duration::from_millis(5), || Ok(!supervisors(&estate).is_empty()))?;
    let started = Instant::now();
    let mut most = 0;
    while started.elapsed() < DEPLOY_TIME {
        most = most.max(Process::working_in(&checkouts).len());
        std::thread::sleep(Duration::from_millis(100));
    }
    if !estate.path().join("begun").exists() {
        bail!("the deploy did not come so far: {most} processes");
    }
    let limit = GRACE + Duration::from_secs(1);
    std::thread::sleep(limit.saturating_sub(started.elapsed() - DEPLOY_TIME));
    let left = Process::working_in(&checkouts).len();
    let figure = format!("of {most} processes {left} alive");
    let bar = table::word(left == 0, "none a second after the grace".to_owned());
    table::print_plain("escaped: 500 that ignore TERM", &figure, &bar);
    living.settle(1)
}
