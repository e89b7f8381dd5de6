//! A ledger with a hundred thousand cases a cycle, and the phases that follow a suite.
//!
//! Cycles are written with the same events that a run would append, so that what is then timed (the
//! engine taking an open cycle up) is the code that runs in a real one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use andon::cycle;
use andon::domain::attempt::Attempt;
use andon::domain::event::{
    Definition, Event, PhaseEnded, PhaseStarted, PlannedCase, Queued, RevisionResolved, RunOptions,
    SuiteEnded, SuitePlanned,
};
use andon::domain::evidence::{Evidence, Excerpt, Exchange, Protocol, Timings};
use andon::domain::failure::{Blame, Failure, FailureClass};
use andon::domain::names::CaseId;
use andon::domain::outcome::{Phase, PhaseOutcome, Trigger, TriggerKind};
use andon::domain::revision::{Revision, Sha};
use andon::domain::spec::{FlakyPolicy, Pipeline, Priority, SuspiciousPolicy};
use andon::engine::{
    Engine, Journal, Observer, Progress, Setup, Silent, StatePaths, SystemClock, World,
};
use andon::pipeline;
use andon::process::Launcher;
use andon::store::sqlite::{FILE_NAME, Mode, SqliteStore};
use andon::store::{CycleRow, Store};
use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::stage;

/// One case in so many fails; which ones moves on with the cycle, so that every change occurs.
const ONE_IN: usize = 50;
/// Different causes among the failures.
const CAUSES: usize = 40;
/// Attempts that are appended together, as a run does.
const BATCH: usize = 200;

/// The pipeline of the ledger; its cases stand in the plan of each cycle.
const PIPELINE: &str = "\
version: 1
name: many
watch: { repo: chat, branches: [main] }
suite:
  name: many
  cases:
    - id: one
      steps: [{ http: { url: \"http://127.0.0.1:1/\" } }]
";

/// Writes the next cycle up to the end of its suite.
pub fn seed(dir: &Path, cases: usize) -> Result<()> {
    let sha = commit(dir)?;
    block_on(async {
        let store = open(dir).await?;
        let pipeline = load(dir)?;
        let (key, first) = store.create_cycle(queued(&pipeline), now()).await?;
        let cycle = key.cycle as usize;
        let state = cycle::begin(first)?;
        let clock = Arc::new(SystemClock);
        let mut journal =
            Journal::new(Arc::clone(&store), clock, Arc::new(Silent), key, state, None);
        journal.append(before_suite(&sha, cases)?).await?;
        let numbers: Vec<usize> = (0..cases).collect();
        for batch in numbers.chunks(BATCH) {
            let attempts = batch.iter().map(|number| attempt(*number, cycle).map(finished));
            journal.append(attempts.collect::<Result<_>>()?).await?;
        }
        journal.append(vec![suite_ended(), phase_ended(Phase::Suite)]).await?;
        store.close().await;
        Ok(())
    })
}

/// One more commit in the repository of the ledger, which is made where it is not there.
pub fn commit(dir: &Path) -> Result<String> {
    let repo = dir.join("chat");
    if !repo.exists() {
        std::fs::create_dir(&repo)?;
        std::fs::write(dir.join("many.yaml"), PIPELINE)?;
        stage::git(&repo, &["init", "--quiet", "--initial-branch", "main"])?;
    }
    stage::commit(&repo, "One more")?;
    stage::git(&repo, &["rev-parse", "HEAD"])
}

/// Brings the open cycle to its end, and prints how long each part took.
pub fn take_up(dir: &Path) -> Result<()> {
    std::env::set_current_dir(dir)?;
    block_on(async {
        let store = open(dir).await?;
        let pipeline = Arc::new(load(dir)?);
        let open = store.open_cycles(None).await?;
        let row: &CycleRow = open.first().context("a cycle is open")?;
        let setup = Setup {
            pipeline: Arc::clone(&pipeline),
            paths: StatePaths::new(dir.join("state")),
            working_dir: dir.to_owned(),
            host: Arc::new(|_| None),
            launcher: Launcher::new(stage::andon()),
        };
        let (world, _warnings) =
            World::open(setup).await.map_err(|faults| anyhow!("secrets: {faults:?}"))?;
        let stopwatch = Arc::new(Stopwatch::default());
        let engine = Engine::new(
            Arc::clone(&store),
            Arc::new(SystemClock),
            Arc::clone(&stopwatch) as Arc<dyn Observer>,
        );
        let started = Instant::now();
        engine.take_up(row, &pipeline, &world, &CancellationToken::new()).await?;
        let took = stopwatch.steps(started, Instant::now());
        println!("{}", serde_json::to_string(&took)?);
        store.close().await;
        Ok(())
    })
}

/// Notes when phases begin and end.
#[derive(Default)]
struct Stopwatch {
    marks: Mutex<BTreeMap<&'static str, (Instant, f64)>>,
}

impl Observer for Stopwatch {
    fn on(&self, progress: Progress<'_>) {
        let Progress::Recorded { recorded, .. } = progress else { return };
        let mark = match &recorded.event {
            Event::PhaseStarted(started) if started.phase == Phase::Diff => "loaded",
            Event::PhaseEnded(ended) if ended.phase == Phase::Diff => "compared",
            Event::PhaseEnded(ended) if ended.phase == Phase::Report => "reported",
            _ => return,
        };
        let now = (Instant::now(), memory_mib());
        self.marks.lock().expect("no holder panics").insert(mark, now);
    }
}

impl Stopwatch {
    /// Milliseconds of each part, and the memory in use at its end.
    fn steps(&self, started: Instant, ended: Instant) -> BTreeMap<&'static str, (f64, f64)> {
        let marks = self.marks.lock().expect("no holder panics");
        let at = |mark: &str| marks.get(mark).copied().unwrap_or((ended, memory_mib()));
        let parts = [
            ("load", (started, 0.0), at("loaded")),
            ("diff", at("loaded"), at("compared")),
            ("report", at("compared"), at("reported")),
            ("finish", at("reported"), (ended, memory_mib())),
        ];
        let took = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1e3;
        parts.map(|(name, from, to)| (name, (took(from.0, to.0), to.1))).into()
    }
}

/// The peak of memory so far.
fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.map_or(0.0, |kib: f64| kib / 1024.0)
}

/// Opens the ledger of a folder.
pub async fn open(dir: &Path) -> Result<Arc<dyn Store>> {
    let path = dir.join("state").join(FILE_NAME);
    Ok(Arc::new(SqliteStore::open(&path, Mode::ReadWrite).await?))
}

/// Runs to the end on a runtime as `andon` has it.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// The instant now.
#[allow(clippy::disallowed_methods)] // The harness is no part of Andon.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The pipeline of the ledger.
pub fn load(dir: &Path) -> Result<Pipeline> {
    let read = |path: &Path, _limit: u64| std::fs::read(path);
    let loaded = pipeline::load(&read, &dir.join("many.yaml"));
    loaded.pipeline.with_context(|| format!("the pipeline is valid: {:?}", loaded.diagnostics))
}

/// The first event of a cycle.
pub fn queued(pipeline: &Pipeline) -> Queued {
    Queued {
        pipeline: pipeline.name.clone(),
        cycle: 0,
        environment: pipeline.environment.clone(),
        trigger: Trigger { kind: TriggerKind::Manual, detail: "by hand".to_owned() },
        requested: None,
        taken_together: vec![],
        definition: Definition {
            file: "many.yaml".to_owned(),
            config_digest: pipeline.config_digest.clone(),
            suite: Some("many".to_owned()),
            suite_digest: Some("digest".to_owned()),
            report_dir: "reports".to_owned(),
            impact: None,
            at_risk: None,
            not_acted_on: vec![],
            idempotent_deploy: false,
            andon: env!("CARGO_PKG_VERSION").to_owned(),
        },
        options: RunOptions { deploy: false, only: None, search_of: None },
        queued_by: None,
    }
}

/// What a cycle has before its first attempt.
pub fn before_suite(sha: &str, cases: usize) -> Result<Vec<Event>> {
    let revision = Revision {
        sha: Sha::parse(sha)?,
        subject: "One more".to_owned(),
        author: "bench".to_owned(),
        branch: Some("main".to_owned()),
        time: now(),
    };
    let resolved = RevisionResolved { revision, checkout: None, left_out: vec![] };
    let planned: Result<Vec<PlannedCase>> = (0..cases).map(planned).collect();
    let plan = SuitePlanned {
        name: "many".to_owned(),
        digest: "digest".to_owned(),
        cases: planned?,
        expected_cases: None,
        flaky: FlakyPolicy::Pass,
        suspicious: SuspiciousPolicy::Warn,
        deadline_at: now(),
    };
    Ok(vec![
        phase_started(Phase::Checkout),
        Event::RevisionResolved(resolved),
        phase_ended(Phase::Checkout),
        phase_started(Phase::Deploy),
        phase_ended(Phase::Deploy),
        phase_started(Phase::Ready),
        phase_ended(Phase::Ready),
        phase_started(Phase::Suite),
        Event::SuitePlanned(Box::new(plan)),
    ])
}

/// A phase begins.
pub fn phase_started(phase: Phase) -> Event {
    Event::PhaseStarted(PhaseStarted { phase, deadline_at: None })
}

/// A phase went well.
pub fn phase_ended(phase: Phase) -> Event {
    let outcome = PhaseOutcome::Passed;
    Event::PhaseEnded(PhaseEnded { phase, outcome, duration_ms: 5, detail: None })
}

/// The suite ran to its end.
pub fn suite_ended() -> Event {
    Event::SuiteEnded(SuiteEnded {
        stopped_by: None,
        not_run: vec![],
        setup_failures: vec![],
        teardown_failures: vec![],
        retries_withheld: None,
        duration_ms: 60_000,
    })
}

/// The event of an attempt.
pub fn finished(attempt: Attempt) -> Event {
    Event::AttemptFinished(Box::new(attempt))
}

fn case_id(number: usize) -> Result<CaseId> {
    Ok(CaseId::parse(&format!("test_{number:06}_of_many_that_are_named_like_this"))?)
}

/// A planned case, as a suite file would name it.
pub fn planned(number: usize) -> Result<PlannedCase> {
    Ok(PlannedCase {
        command: None,
        id: case_id(number)?,
        was: vec![],
        name: format!("What case {number} of many promises"),
        area: Some(format!("Area {}", number % 30)),
        priority: Priority::P1,
        owner: Some("chat-team".to_owned()),
        impact: None,
        digest: format!("{number:064x}").into(),
        quarantine: None,
        events: vec![],
    })
}

/// The attempt of a case in a cycle: mostly a pass, with the evidence of one request.
pub fn attempt(number: usize, cycle: usize) -> Result<Attempt> {
    // Half of the failures stay where they are, the others move on.
    let fails = number.is_multiple_of(ONE_IN) || number % ONE_IN == 1 + cycle % (ONE_IN - 1);
    let mut evidence = Evidence::default();
    evidence.record(exchange(number, if fails { 500 } else { 200 }));
    Ok(Attempt {
        case: case_id(number)?,
        number: 1,
        started_at: now(),
        duration_ms: 3 + number as u64 % 7,
        failure: fails.then(|| failure(number).into()),
        skipped: None,
        evidence,
    })
}

fn exchange(number: usize, status: u16) -> Exchange {
    let url = format!("http://127.0.0.1:8080/api/things/{number}");
    let mut exchange = Exchange::begin("step 1 (http)", Protocol::Http, "GET", &url);
    let body = r#"{"status":"ok","id":"bench-1","count":3,"items":["one","two","three"]}"#;
    exchange.remote = Some("127.0.0.1:8080".to_owned());
    exchange.version = Some("HTTP/1.1".to_owned());
    exchange.status = Some(status);
    exchange.bytes_sent = 120;
    exchange.bytes_received = 200;
    exchange.timings = Timings { first_byte_us: Some(800), total_us: 900, ..Timings::default() };
    exchange.body = Some(Excerpt::of(body, body.len() as u64));
    exchange
}

/// The failure of a case: one of a few causes, in words that vary.
pub fn failure(number: usize) -> Failure {
    let word: String = ('a'..='z').cycle().skip(number % CAUSES).take(8).collect();
    Failure {
        class: FailureClass::HttpStatus,
        blame: Blame::Service,
        message: format!("expected status 200, got 500: {word} is gone after {number} ms"),
        step: Some("step 1 (http)".to_owned()),
        expected: Some("200".to_owned()),
        actual: Some("500".to_owned()),
        subject: Some(format!("status of {word}")),
        repro: Some(format!("curl http://127.0.0.1:8080/api/things/{number}")),
    }
}
