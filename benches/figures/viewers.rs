//! A thousand people who look at the same thing while it happens: a log that grows, and the events of a cycle. What
//! each costs the daemon in memory, and whether the log is written as quickly as when nobody looks.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::ledger;
use super::living::{Estate, Living, Process, until};
use super::table::{self, Spread};

/// People who look.
const VIEWERS: usize = 1_000;
/// Each of them costs no more, in KiB.
const KIB: f64 = 256.0;
/// How often a page of a log asks for more, as `andon.js` does.
const POLL: Duration = Duration::from_millis(500);
/// How long a log is written to, with lines so far apart.
const TALK: Duration = Duration::from_secs(10);
const BETWEEN_LINES: Duration = Duration::from_millis(10);
/// Events wait no longer than this.
const LONGEST: Duration = Duration::from_secs(60);

/// Measures and prints all of it.
pub fn print() -> Result<()> {
    allow_many_files()?;
    log()?;
    events()
}

/// The daemon has a file for each viewer, and so have we.
fn allow_many_files() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(8_192, |most| most.min(8_192));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })?)
}

/// A deploy that writes down whatever we say.
fn log() -> Result<()> {
    let estate = Estate::new()?;
    let fifo = estate.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)?;
    let said =
        format!("deploy: {{ steps: [{{ name: Talk, run: 'cat \"{}\"' }}] }}\n", fifo.display());
    estate.add("talk", "off", &said)?;
    let living = Living::start(&estate, &[])?;
    living.settle(1)?;
    let alone = talk(&estate, &living, &fifo, 0)?;
    let watched = talk(&estate, &living, &fifo, VIEWERS)?;
    table::print_plain("viewers: log line written, nobody looks", &alone.lines.to_string(), "");
    let slower = watched.lines.part(50).saturating_sub(alone.lines.part(50));
    table::print_plain(
        &format!("viewers: the same, {VIEWERS} look"),
        &watched.lines.to_string(),
        &table::word(slower < Duration::from_millis(10), "median less than 10 ms later".to_owned()),
    );
    let looks = watched.looks.context("somebody looked")?;
    table::print_plain("viewers: more of a log asked for", &looks.to_string(), "");
    print_memory(&format!("viewers: {VIEWERS} of a log"), &watched.cost);
    Ok(())
}

/// What became of a log that was written to.
struct Talked {
    /// From when a line was said to when it was in the file.
    lines: Spread,
    /// How long viewers waited for an answer.
    looks: Option<Spread>,
    cost: Cost,
}

/// What the daemon needed.
struct Cost {
    before_mib: f64,
    most_mib: f64,
    cores: f64,
}

fn print_memory(name: &str, cost: &Cost) {
    let each = (cost.most_mib - cost.before_mib).max(0.0) * 1024.0 / VIEWERS as f64;
    let figure = format!(
        "{each:.1} KiB each ({:.1} → {:.1} MiB), {:.2} cores",
        cost.before_mib, cost.most_mib, cost.cores
    );
    table::print_plain(name, &figure, &table::word(each < KIB, format!("under {KIB} KiB each")));
}

fn talk(estate: &Estate, living: &Living, fifo: &Path, viewers: usize) -> Result<Talked> {
    living.client()?.trigger("talk")?;
    // Opening waits until the deploy reads.
    let mut mouth = File::options().write(true).open(fifo)?;
    writeln!(mouth, "{}", nanos())?;
    let file = newest_log(&estate.path().join("state"))?.context("a deploy has a log")?;
    let process = living.process();
    let (before_mib, cpu, begun) = (process.resident_mib(), process.cpu(), Instant::now());
    let cycle = newest_cycle(living)?;
    let path = format!("/api/v1/pipelines/talk/cycles/{cycle}/logs/1");
    let address = living.address().to_owned();
    let looking = std::thread::spawn(move || ledger::block_on(look(address, path, viewers)));
    let reading = std::thread::spawn(move || follow(&file));
    let most = std::thread::spawn(move || highest(process, TALK));
    while begun.elapsed() < TALK {
        writeln!(mouth, "{}", nanos())?;
        std::thread::sleep(BETWEEN_LINES);
    }
    let cores = (process.cpu() - cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    let looks = looking.join().expect("no viewer panics")?;
    writeln!(mouth, "over")?;
    drop(mouth);
    let lines = reading.join().expect("the reader does not panic")?;
    living.settle(1)?;
    Ok(Talked {
        lines: Spread::new(lines),
        looks: (!looks.is_empty()).then(|| Spread::new(looks)),
        cost: Cost { before_mib, most_mib: most.join().expect("it does not panic"), cores },
    })
}

fn newest_cycle(living: &Living) -> Result<u64> {
    let body = living.client()?.get("/api/v1/pipelines/talk/cycles?limit=1")?.body;
    let listed: serde_json::Value = serde_json::from_slice(&body)?;
    listed["cycles"][0]["cycle"].as_u64().context("a cycle runs")
}

/// The log that was written to last, somewhere below a folder.
fn newest_log(folder: &Path) -> Result<Option<PathBuf>> {
    let mut newest = None;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "output.log" {
                newest = newest.max(Some((entry.metadata()?.created()?, entry.path())));
            }
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// How late each line was in the file.
fn follow(file: &Path) -> Result<Vec<Duration>> {
    let mut file = File::open(file)?;
    let (mut text, mut late) = (String::new(), Vec::new());
    loop {
        let read = file.read_to_string(&mut text)?;
        let now = nanos();
        while let Some((line, rest)) = text.split_once('\n') {
            match line.parse::<u64>() {
                Ok(said) => late.push(Duration::from_nanos(now.saturating_sub(said))),
                Err(_) => return Ok(late),
            }
            text = rest.to_owned();
        }
        if read == 0 {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

fn nanos() -> u64 {
    u64::try_from(ledger::now().as_nanosecond()).unwrap_or(0)
}

/// The most that is resident of a process within a while, in MiB.
fn highest(process: Process, watched: Duration) -> f64 {
    let begun = Instant::now();
    let mut most: f64 = 0.0;
    while begun.elapsed() < watched {
        most = most.max(process.resident_mib());
        std::thread::sleep(Duration::from_millis(50));
    }
    most
}

/// Follows a log with so many connections; how long each answer took.
async fn look(address: String, path: String, viewers: usize) -> Result<Vec<Duration>> {
    let end = Instant::now() + TALK;
    let mut all = JoinSet::new();
    for number in 0..viewers {
        // They did not come at the same moment.
        let first = POLL.mul_f64(number as f64 / viewers as f64);
        let (address, path) = (address.clone(), path.clone());
        all.spawn(async move {
            tokio::time::sleep(first).await;
            look_once_in_a_while(&address, &path, end).await
        });
    }
    let mut took = Vec::new();
    while let Some(of_one) = all.join_next().await {
        took.extend(of_one??);
    }
    Ok(took)
}

async fn look_once_in_a_while(address: &str, path: &str, end: Instant) -> Result<Vec<Duration>> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let (mut at, mut took) = (0, Vec::new());
    while Instant::now() < end {
        let begun = Instant::now();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nrange: bytes={at}-{}\r\n\r\n",
            at + 262_143
        );
        stream.get_mut().write_all(request.as_bytes()).await?;
        let (status, length) = head(&mut stream).await?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        match status {
            206 => at += length,
            416 => {}
            other => anyhow::bail!("{path}: {other}"),
        }
        took.push(begun.elapsed());
        tokio::time::sleep(POLL).await;
    }
    ensure!(at > 0, "a viewer saw nothing");
    Ok(took)
}

/// The status of an answer, and the length of its body.
async fn head(stream: &mut BufReader<TcpStream>) -> Result<(u16, usize)> {
    let (mut status, mut length, mut line) = (0, 0, String::new());
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line).await? > 0, "the connection ended");
        if line == "\r\n" {
            return Ok((status, length));
        }
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.get(..3).context("a status has three digits")?.parse()?;
        } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
}

/// Everybody follows one cycle from its first event to its last.
fn events() -> Result<()> {
    let estate = Estate::new()?;
    estate.add("quiet", "off", "deploy: { steps: [{ name: Nothing, run: \"true\" }] }\n")?;
    let living = Living::start(&estate, &[])?;
    living.settle(1)?;
    let process = living.process();
    let (before_mib, cpu, begun) = (process.resident_mib(), process.cpu(), Instant::now());
    let address = living.address().to_owned();
    let here = Arc::new(AtomicUsize::new(0));
    let arriving = Arc::clone(&here);
    let listening = std::thread::spawn(move || ledger::block_on(listen_all(address, arriving)));
    until("everybody listens", Duration::from_millis(5), || {
        ensure!(!listening.is_finished(), "a listener was sent away");
        Ok(here.load(Ordering::Relaxed) == VIEWERS)
    })?;
    let most = std::thread::spawn(move || highest(process, Duration::from_secs(3)));
    living.client()?.trigger("quiet")?;
    let late = listening.join().expect("no listener panics")?;
    let cores = (process.cpu() - cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    table::print_plain("viewers: last event of a cycle heard", &Spread::new(late).to_string(), "");
    let cost = Cost { before_mib, most_mib: most.join().expect("it does not panic"), cores };
    print_memory(&format!("viewers: {VIEWERS} of a cycle"), &cost);
    Ok(())
}

async fn listen_all(address: String, here: Arc<AtomicUsize>) -> Result<Vec<Duration>> {
    let mut all = JoinSet::new();
    for _ in 0..VIEWERS {
        all.spawn(tokio::time::timeout(LONGEST, listen(address.clone(), Arc::clone(&here))));
    }
    let (mut late, mut heard) = (Vec::new(), Vec::new());
    while let Some(of_one) = all.join_next().await {
        let (events, last) = of_one?.context("a listener waits in vain")??;
        heard.push(events);
        late.push(last);
    }
    heard.dedup();
    ensure!(heard.len() == 1, "listeners heard different numbers of events: {heard:?}");
    Ok(late)
}

/// How many events were heard, and how late the last.
async fn listen(address: String, here: Arc<AtomicUsize>) -> Result<(usize, Duration)> {
    let mut stream = BufReader::new(TcpStream::connect(&address).await?);
    let request = format!("GET /api/v1/events?pipeline=quiet HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).await?;
    ensure!(head(&mut stream).await?.0 == 200, "a listener is refused");
    here.fetch_add(1, Ordering::Relaxed);
    let (mut events, mut line) = (0, String::new());
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line).await? > 0, "the stream ended");
        let Some(data) = line.strip_prefix("data: ") else { continue };
        events += 1;
        let event: serde_json::Value = serde_json::from_str(data)?;
        if event["event"]["kind"] == "finished" {
            let at: jiff::Timestamp = event["at"].as_str().context("it has a time")?.parse()?;
            let late = ledger::now().duration_since(at);
            return Ok((events, Duration::try_from(late).unwrap_or_default()));
        }
    }
}
