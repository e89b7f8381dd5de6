//! Everything that is measured, in the order of docs/performance.md.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use andon::pipeline;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::daemon;
use super::history;
use super::measure::{self, Cost};
use super::options::Options;
use super::proxy;
use super::results;
use super::stage::{self, Service, Stage};
use super::table::{self, Bar, Series};

/// Cases of the large ledger.
const MANY: usize = 100_000;

/// The figures of suites: the first stands beside all others, so it is measured with each.
const SUITES: [&str; 5] =
    ["one", "requests-1000", "requests-200-of-50-ms", "sockets-1000", "sockets-1000-in-one-case"];

/// What the P1 pipeline reads from its environment, beside addresses.
const KEYS: [(&str, &str); 2] =
    [("CHAT_JWT_KEY", "a key for measuring, long enough"), ("CHAT_BYPASS_KEY", "another key")];

/// Measures and prints everything that was asked for.
pub fn print(options: &Options) -> Result<()> {
    let stage = Stage::new()?;
    let service = Service::start(&stage, &KEYS)?;
    let bench = Bench { options, stage: &stage, address: &service.address };
    let profile = if cfg!(debug_assertions) { "NOT AS IT IS RELEASED" } else { "release build" };
    println!("{profile}; {} rounds each, after one that is not counted\n", options.rounds);
    table::print_head();
    bench.small()?;
    bench.suites()?;
    bench.p1()?;
    bench.ledger()?;
    bench.index()?;
    proxy::print(options)?;
    results::print(options, stage.path())?;
    daemon::print(options)
}

struct Bench<'a> {
    options: &'a Options,
    stage: &'a Stage,
    address: &'a str,
}

impl Bench<'_> {
    fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.options.only)
    }

    fn rounds(&self, round: impl Fn() -> Result<Cost>) -> Result<Series> {
        round()?;
        let costs: Result<Vec<Cost>> = (0..self.options.rounds).map(|_| round()).collect();
        Ok(Series::new(&costs?))
    }

    /// The program as such.
    fn small(&self) -> Result<()> {
        if self.wants("help") {
            let help =
                || Ok(measure::run(stage::andon(), &["--help"], self.stage.path(), &[], &[0])?.0);
            let bar = Bar { wall: Some(Duration::from_millis(10)), ..Bar::default() };
            table::print("help", &self.rounds(help)?, None, bar);
        }
        if self.wants("size") {
            let mib = std::fs::metadata(stage::andon())?.len() as f64 / 1024.0 / 1024.0;
            let bar = table::word(mib < 30.0, "under 30 MiB".to_owned());
            table::print_plain("size of the binary", &format!("{mib:.1} MiB"), &bar);
        }
        Ok(())
    }

    /// Suites of native cases, against the run of one.
    fn suites(&self) -> Result<()> {
        if !SUITES.iter().any(|name| self.wants(name)) {
            return Ok(());
        }
        let address = self.address;
        let one_bar = Bar { wall: Some(Duration::from_millis(60)), ..Bar::default() };
        let one = self.suite("one", &stage::request_cases(address, 1, 0), None, one_bar)?;
        let more = |millis, mib| Bar { wall: None, more: Some(Duration::from_millis(millis)), mib };
        let requests = stage::request_cases(address, 1000, 0);
        self.suite("requests-1000", &requests, one, more(200, Some(60.0)))?;
        let slow = stage::request_cases(address, 200, 50);
        self.suite("requests-200-of-50-ms", &slow, one, more(300, None))?;
        let sockets = stage::socket_cases(address, 1000);
        self.suite("sockets-1000", &sockets, one, more(300, Some(50.0)))?;
        let parallel = stage::parallel_sockets(address, 1000);
        self.suite("sockets-1000-in-one-case", &parallel, one, more(300, Some(50.0)))?;
        Ok(())
    }

    /// Runs a suite; its median. The run of one case is always measured: the others stand beside it.
    fn suite(
        &self,
        name: &str,
        suite: &str,
        one: Option<Duration>,
        bar: Bar,
    ) -> Result<Option<Duration>> {
        if !self.wants(name) && name != "one" {
            return Ok(None);
        }
        self.stage.write_pipeline(name, suite)?;
        let file = format!("{name}.yaml");
        let state = format!("state-{name}");
        let args = ["run", &file, "--state", &state];
        let run = || Ok(measure::run(stage::andon(), &args, self.stage.path(), &[], &[0])?.0);
        let series = self.rounds(run)?;
        table::print(name, &series, one, bar);
        Ok(Some(series.median()))
    }

    /// The P1 suite side by side, against the longest chain of waits in it.
    fn p1(&self) -> Result<()> {
        if !self.wants("p1") {
            return Ok(());
        }
        let alone = self.p1_cycles("p1-alone", 1)?;
        let (chain, by) = longest_chain(&self.stage.write_p1("p1-alone", 1)?, &alone)?;
        let beside = self.p1_cycles("p1", 8)?;
        let mut took: Vec<u64> =
            beside.iter().filter_map(|cycle| cycle["suite"]["duration_ms"].as_u64()).collect();
        took.sort_unstable();
        let median = took[took.len() / 2];
        let ratio = median as f64 / chain as f64;
        let range = format!("{}–{}", took[0], took[took.len() - 1]);
        table::print_plain("p1: longest chain of waits", &format!("{chain} ms ({by})"), "");
        table::print_plain(
            "p1: suite at concurrency 8",
            &format!("median {median} ms, {range} ms, {ratio:.2} × the chain"),
            &table::word(ratio <= 1.3, "within 1.3 ×".to_owned()),
        );
        Ok(())
    }

    fn p1_cycles(&self, name: &str, concurrency: u32) -> Result<Vec<Value>> {
        self.stage.write_p1(name, concurrency)?;
        let file = format!("pipelines/{name}.yaml");
        let env = [
            KEYS[0],
            KEYS[1],
            ("CHAT_STAGING_LISTEN", self.address),
            ("CHAT_STAGING_CONTROL", self.address),
            ("CHAT_STAGING_BIN", "unused"),
            ("CHAT_STAGING_RUN_DIR", "unused"),
        ];
        let args = ["run", &file, "--state", "state-p1", "--no-deploy", "--json"];
        let mut cycles = Vec::new();
        for _ in 0..=self.options.rounds {
            let (_, printed) =
                measure::run(stage::andon(), &args, self.stage.path(), &env, &[0, 1])?;
            let last = printed.lines().last().context("a run prints its cycle")?;
            cycles.push(serde_json::from_str(last)?);
        }
        // The first one also opened the state.
        Ok(cycles.split_off(1))
    }

    /// The comparison and the report of a hundred thousand cases.
    fn ledger(&self) -> Result<()> {
        if !self.wants("ledger") {
            return Ok(());
        }
        let us = std::env::current_exe()?;
        let dir = self.stage.path().join("ledger");
        std::fs::create_dir(&dir)?;
        let many = MANY.to_string();
        let at = dir.to_str().context("the folder of temporary files has a plain name")?;
        let seed =
            || measure::run(&us, &["--seed-ledger", at, &many], self.stage.path(), &[], &[0]);
        let take_up = || measure::run(&us, &["--take-up", at], self.stage.path(), &[], &[0]);
        seed()?;
        take_up()?;
        let (mut costs, mut with_loading) = (Vec::new(), Vec::new());
        let mut steps: HashMap<String, Vec<(f64, f64)>> = HashMap::new();
        for _ in 0..self.options.rounds {
            seed()?;
            let (cost, printed) = take_up()?;
            let told: HashMap<String, (f64, f64)> = serde_json::from_str(&printed)?;
            let wall = Duration::from_secs_f64((told["diff"].0 + told["report"].0) / 1000.0);
            costs.push(Cost { wall, ..cost });
            let loading = Duration::from_secs_f64(told["load"].0 / 1000.0);
            with_loading.push(Cost { wall: loading + wall, ..cost });
            told.into_iter().for_each(|(step, took)| steps.entry(step).or_default().push(took));
        }
        let bar = Bar { wall: Some(Duration::from_secs(1)), mib: Some(300.0), ..Bar::default() };
        table::print("ledger: diff and report of 100,000", &Series::new(&costs), None, bar);
        let with_loading = Series::new(&with_loading);
        table::print("ledger: the same with loading", &with_loading, None, Bar::default());
        for step in ["load", "diff", "report", "finish"] {
            let took = steps.get_mut(step).context("every step is told")?;
            took.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ((median, mib), range) =
                (took[took.len() / 2], (took[0].0, took[took.len() - 1].0));
            let figure = format!(
                "median {median:.0} ms, {:.0}–{:.0} ms, peak so far {mib:.0} MiB",
                range.0, range.1
            );
            table::print_plain(&format!("  {step}"), &figure, "");
        }
        let rebuild = ["report", "many", "--rebuild", "--state", "state", "2"];
        let rebuild = || Ok(measure::run(stage::andon(), &rebuild, &dir, &[], &[0])?.0);
        table::print("ledger: report --rebuild", &self.rounds(rebuild)?, None, Bar::default());
        let diff = ["diff", "many", "--state", "state"];
        let diff = || Ok(measure::run(stage::andon(), &diff, &dir, &[], &[0, 1])?.0);
        table::print("ledger: andon diff", &self.rounds(diff)?, None, Bar::default());
        let (_, parts) = measure::run(&us, &["--parts", at], self.stage.path(), &[], &[0])?;
        print!("{parts}");
        Ok(())
    }

    /// One more cycle after a long history.
    fn index(&self) -> Result<()> {
        if !self.wants("index") {
            return Ok(());
        }
        let us = std::env::current_exe()?;
        let dir = self.stage.path().join("history");
        std::fs::create_dir(&dir)?;
        let at = dir.to_str().context("the folder of temporary files has a plain name")?;
        let run = |args: &[&str]| measure::run(&us, args, self.stage.path(), &[], &[0]);
        let cycles = self.options.history.to_string();
        run(&["--seed-history", at, &cycles])?;
        let cases = history::CASES.to_string();
        let round = || {
            run(&["--seed-ledger", at, &cases])?;
            let (cost, printed) = run(&["--take-up", at])?;
            let told: HashMap<String, (f64, f64)> = serde_json::from_str(&printed)?;
            let wall = Duration::from_secs_f64((told["diff"].0 + told["report"].0) / 1000.0);
            Ok(Cost { wall, ..cost })
        };
        let bar = Bar { wall: Some(Duration::from_millis(200)), ..Bar::default() };
        let name = format!("index: report, {cycles} cycles before");
        table::print(&name, &self.rounds(round)?, None, bar);
        Ok(())
    }
}

/// The longest chain of cases that need each other, by the quickest time that each took when it ran
/// alone: no schedule can be quicker.
fn longest_chain(file: &Path, cycles: &[Value]) -> Result<(u64, String)> {
    let mut quickest: HashMap<String, u64> = HashMap::new();
    for case in cycles.iter().filter_map(|cycle| cycle["cases"].as_array()).flatten() {
        let (Some(id), Some(took)) = (case["id"].as_str(), case["duration_ms"].as_u64()) else {
            bail!("a case has an id and a duration");
        };
        let known = quickest.entry(id.to_owned()).or_insert(took);
        *known = took.min(*known);
    }
    let read = |path: &Path, _limit: u64| std::fs::read(path);
    let loaded = pipeline::load(&read, file);
    let suite = loaded.pipeline.and_then(|pipeline| pipeline.suite).context("P1 is valid")?;
    let mut chains: HashMap<&str, u64> = HashMap::new();
    // A case stands after those that it needs as often as the chain is deep.
    for _ in 0..8 {
        for case in suite.cases() {
            let before = case.needs.iter().filter_map(|need| chains.get(need.as_str())).max();
            let own = quickest.get(case.id.as_str()).copied().unwrap_or(0);
            chains.insert(case.id.as_str(), before.copied().unwrap_or(0) + own);
        }
    }
    let longest = chains.into_iter().max_by_key(|(_, took)| *took).context("P1 has cases")?;
    Ok((longest.1, longest.0.to_owned()))
}
