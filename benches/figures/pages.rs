//! The pages of a daemon with a long history: a hundred pipelines of ten thousand cycles each. How long a page
//! takes from the request to its last byte, and how many bytes are sent; and how soon an event is on a page.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use andon::domain::spec::Pipeline;
use andon::pipeline;
use andon::store::Store;
use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use sqlx::{ConnectOptions as _, Connection as _};

use super::history::{self, Amount};
use super::ledger;
use super::living::{Client, Estate, Living};
use super::options::Options;
use super::table::{self, Spread};
use super::viewers;

/// Pipelines on the first page.
const PIPELINES: usize = 100;
/// Cycles of one pipeline that have all their records, of a hundred cases.
const WHOLE_CYCLES: usize = 31;
/// Cases of the large cycle.
const MANY: usize = 10_000;
/// Each page is asked for so often, after a few times that are not counted.
const ASKED: u32 = 50;
const WARM_UP: usize = 5;
/// Cycles whose events are followed from the ledger to a page.
const CYCLES: usize = 20;
/// What does not come by then does not come.
const LONGEST: Duration = Duration::from_secs(30);

const NO_OP: &str = "deploy: { steps: [{ name: Nothing, run: \"true\" }] }\n";

/// Cycles as rows of the list, and the commits and triggers of the newest of them. Records of a cycle expire, its
/// row never does. Cycles of all pipelines follow each other, as they do in life.
const ROWS: &str = "
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :cycles)
    INSERT INTO cycle (pipeline_id, number, environment, last_seq, trigger_kind, trigger_detail, requested, phase,
        verdict, revision, revision_info, suite, suite_digest, planned, passed, failed, suite_ms, report,
        queued_at_us, decided_at_us, finished_at_us, expired_at_us, bytes, unlinked_to)
    SELECT p.id, n, p.name, 60, 'commit', 'main moved to a newer commit', 'main', 'finished',
        CASE n % 7 WHEN 0 THEN 'red' WHEN 3 THEN 'void' ELSE 'green' END, printf('%040x', n * 1000 + p.id),
        json_object('sha', printf('%040x', n * 1000 + p.id), 'subject', 'Make the answer of checkout ' || n || ' quicker',
            'author', 'Ada Lovelace', 'branch', 'main', 'time', '2026-11-23T14:07:31Z'),
        'p1', printf('%064x', p.id), 25, 24 + (n % 7 > 0), n % 7 = 0, 12345,
        'reports/' || p.name || '/cycle-' || n || '.md',
        :now - (:cycles - n + 1) * 600000000, :now - (:cycles - n + 1) * 600000000 + 60000000,
        :now - (:cycles - n + 1) * 600000000 + 61000000,
        CASE WHEN n <= :cycles - 40 THEN :now - (:cycles - n) * 600000000 END, 1, 60
    FROM number, pipeline p ORDER BY n, p.id;
    UPDATE pipeline SET last_cycle = :cycles;
    INSERT INTO trigger (pipeline_id, environment, kind, detail, requested, branch, deploy, created_at_us,
        not_before_us, cycle, ended_at_us)
    SELECT pipeline_id, environment, 'commit', 'main moved', revision, 'main', 1, queued_at_us, queued_at_us, number,
        queued_at_us
    FROM cycle WHERE number > :cycles - 200 ORDER BY id;
    INSERT INTO seen_commit (pipeline_id, branch, sha, subject, author, seen_at_us, skipped_by, trigger_id)
    SELECT pipeline_id, 'main', requested, 'Make it quicker', 'Ada Lovelace', created_at_us, NULL, id FROM trigger
    UNION ALL
    SELECT pipeline_id, 'main', printf('%040x', 1000000000 + id), 'Mend a word', 'Ada Lovelace', created_at_us,
        'paths: docs/**', NULL
    FROM trigger WHERE cycle % 5 = 0
    ORDER BY 6, 1;
";

/// Measures and prints everything that was asked for.
pub fn print(options: &Options) -> Result<()> {
    if "pages".starts_with(&options.only) {
        pages(options)?;
    }
    if "viewers".starts_with(&options.only) {
        viewers::print()?;
    }
    Ok(())
}

fn pages(options: &Options) -> Result<()> {
    let estate = Estate::new()?;
    let names: Vec<String> = (0..PIPELINES).map(|number| format!("shop-{number:03}")).collect();
    for name in &names {
        estate.add(name, "off", NO_OP)?;
    }
    store_history(&estate, &names, options.history)?;
    let living = Living::start(&estate, &[])?;
    living.settle(PIPELINES)?;
    let mut client = living.client()?;
    let (busy, many) = (&names[0], &names[1]);
    let newest = options.history + 1;
    let (page, large) = (Duration::from_millis(50), Duration::from_millis(200));
    for (name, path, limit, kib) in [
        (
            format!("pages: first, {PIPELINES} × {} cycles", options.history),
            "/".to_owned(),
            page,
            Some(60),
        ),
        ("pages: of a pipeline".to_owned(), format!("/pipelines/{busy}"), page, None),
        (
            "pages: cycle of 10,000 cases".to_owned(),
            format!("/pipelines/{many}/cycles/{newest}"),
            large,
            None,
        ),
    ] {
        let cost = asked(&living, &mut client, &path)?;
        let mut bar = vec![table::word(
            cost.took.part(50) < limit,
            format!("under {} ms", limit.as_millis()),
        )];
        bar.extend(kib.map(|kib| table::word(cost.bytes < kib << 10, format!("under {kib} KiB"))));
        table::print_plain(&name, &cost.to_string(), &bar.join(", "));
    }
    live(&living, &mut client, &names[2])
}

/// What a page costs.
struct PageCost {
    took: Spread,
    /// As it was sent.
    bytes: usize,
    /// Of the daemon, for one.
    cpu: Duration,
}

impl fmt::Display for PageCost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kib, cpu) = (self.bytes as f64 / 1024.0, table::ms(self.cpu));
        write!(out, "{}, {cpu:.1} ms of CPU, {kib:.1} KiB sent", self.took)
    }
}

/// Asks for a page again and again.
fn asked(living: &Living, client: &mut Client, path: &str) -> Result<PageCost> {
    for _ in 0..WARM_UP {
        client.get_compressed(path)?;
    }
    let (mut took, mut bytes) = (Vec::new(), 0);
    let before = living.process().cpu();
    for _ in 0..ASKED {
        let begun = Instant::now();
        bytes = client.get_compressed(path)?.body.len();
        took.push(begun.elapsed());
    }
    let cpu = (living.process().cpu() - before) / ASKED;
    Ok(PageCost { took: Spread::new(took), bytes, cpu })
}

/// From when an event is recorded to when a listener has it, and to when the page that it then asks for is there.
fn live(living: &Living, client: &mut Client, name: &str) -> Result<()> {
    let events = listen(living.address(), name)?;
    let (mut heard, mut shown) = (Vec::new(), Vec::new());
    for _ in 0..CYCLES {
        client.trigger(name)?;
        loop {
            let event = events.recv_timeout(LONGEST).context("no event comes")?;
            heard.push(event.heard_after);
            // A page is fetched for the first event at once, and some time later for all that came meanwhile:
            // here for the last.
            if event.is_first || event.is_last {
                client.get_compressed(&format!("/pipelines/{name}/cycles/{}", event.cycle))?;
                shown.push(since(event.at)?);
            }
            if event.is_last {
                break;
            }
        }
    }
    table::print_plain("live: event heard", &Spread::new(heard).to_string(), "");
    let shown = Spread::new(shown);
    // A browser waits up to 200 ms between two looks, and shows what it got.
    let is_met = shown.part(99) < Duration::from_millis(100);
    table::print_plain(
        "live: page with it fetched",
        &shown.to_string(),
        &table::word(is_met, "under 100 ms".to_owned()),
    );
    Ok(())
}

/// An event as a listener has it.
struct Heard {
    cycle: u64,
    at: Timestamp,
    heard_after: Duration,
    is_first: bool,
    is_last: bool,
}

/// Listens to a pipeline on a thread of its own, so that nothing else holds up what is heard.
fn listen(address: &str, pipeline: &str) -> Result<Receiver<Heard>> {
    let mut stream = TcpStream::connect(address)?;
    let path = format!("/api/v1/events?pipeline={pipeline}");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    // What comes before the head of the answer would be missed.
    let head = lines.next().context("an answer begins")??;
    ensure!(head.contains(" 200 "), "{path}: {head}");
    let (sender, events) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let Some(heard) = line.strip_prefix("data: ").and_then(heard) else { continue };
            if sender.send(heard).is_err() {
                return;
            }
        }
    });
    Ok(events)
}

fn heard(data: &str) -> Option<Heard> {
    let event: serde_json::Value = serde_json::from_str(data).ok()?;
    let at = event["at"].as_str()?.parse().ok()?;
    let kind = &event["event"]["kind"];
    Some(Heard {
        cycle: event["cycle"].as_u64()?,
        at,
        heard_after: since(at).ok()?,
        is_first: kind == "queued",
        is_last: kind == "finished",
    })
}

fn since(at: Timestamp) -> Result<Duration> {
    let passed: SignedDuration = ledger::now().duration_since(at);
    Duration::try_from(passed).context("an event is not of the future")
}

/// Lays out the ledger before the daemon starts.
fn store_history(estate: &Estate, names: &[String], cycles: usize) -> Result<()> {
    let state = estate.path().join("state");
    std::fs::create_dir_all(&state)?;
    ledger::block_on(async {
        ledger::open(estate.path()).await?.close().await;
        rows(&state.join(andon::store::sqlite::FILE_NAME), names, cycles).await?;
        let store: Arc<dyn Store> = ledger::open(estate.path()).await?;
        for (name, amount) in [
            (&names[0], Amount { cycles: WHOLE_CYCLES, cases: history::CASES }),
            (&names[1], Amount { cycles: 1, cases: MANY }),
        ] {
            let pipeline = load(&estate.path().join(format!("pipelines/{name}.yaml")))?;
            history::write(&store, &pipeline, &"a".repeat(40), amount).await?;
        }
        store.close().await;
        Ok(())
    })
}

async fn rows(file: &Path, names: &[String], cycles: usize) -> Result<()> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut db = options.synchronous(sqlx::sqlite::SqliteSynchronous::Off).connect().await?;
    for name in names {
        sqlx::query("INSERT INTO pipeline (name) VALUES (?)").bind(name).execute(&mut db).await?;
    }
    let text = ROWS
        .replace(":cycles", &cycles.to_string())
        .replace(":now", &ledger::now().as_microsecond().to_string());
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut db).await?;
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM cycle").fetch_one(&mut db).await?;
    ensure!(usize::try_from(stored)? == cycles * names.len(), "{stored} cycles were written");
    Ok(db.close().await?)
}

/// Reads a pipeline file.
pub fn load(file: &Path) -> Result<Pipeline> {
    let read = |path: &Path, _limit: u64| std::fs::read(path);
    pipeline::load(&read, file).pipeline.context("the pipeline is valid")
}
