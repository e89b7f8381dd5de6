//! Suites and cases.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::scalar::{Bound, Command, Duration, Glob, OneOrMany, Path, Plain, Priority};
use super::step::Step;

/// A suite file: native cases and what surrounds them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SuiteFile {
    /// Its name.
    suite: Option<String>,
    /// What holds for every case that does not say otherwise.
    defaults: Option<Defaults>,
    /// Runs once; what it captures is there for every case.
    setup: Option<Vec<Step>>,
    /// Always runs, after the last case.
    teardown: Option<Vec<Step>>,
    /// The cases.
    cases: Vec<Case>,
}

/// The tests that decide the verdict.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Suite {
    /// Its name. Default: that of the first file included.
    name: Option<String>,
    /// What is final by then counts; the rest is not_run.
    #[schemars(extend("default" = "20m"))]
    timeout: Option<Duration>,
    /// How many cases run side by side.
    #[schemars(range(min = 1, max = 10_000), extend("default" = 64))]
    concurrency: Option<u32>,
    /// Further attempts of a failing case, in the same cycle.
    #[schemars(range(min = 0, max = 10), extend("default" = 1))]
    retries: Option<u32>,
    /// What a case that passed only after a failed attempt means for the verdict.
    #[schemars(extend("enum" = ["pass", "fail"], "default" = "pass"))]
    flaky: Option<String>,
    /// What a pass that looks too good means for the verdict.
    #[schemars(extend("enum" = ["warn", "fail"], "default" = "warn"))]
    suspicious: Option<String>,
    /// Another number of planned cases makes the cycle void.
    #[schemars(range(min = 1, max = 10_000_000))]
    expected_cases: Option<u32>,
    /// Suite files.
    include: Option<OneOrMany<Path>>,
    /// What holds for every inline case that does not say otherwise.
    defaults: Option<Defaults>,
    /// Runs once; what it captures is there for every case.
    setup: Option<Vec<Step>>,
    /// Always runs, after the last case.
    teardown: Option<Vec<Step>>,
    /// Inline cases.
    cases: Option<Vec<Case>>,
    /// Tests that other tools run.
    commands: Option<Vec<SuiteCommand>>,
    /// Cases that run and are reported but do not decide the verdict.
    quarantine: Option<Vec<Quarantine>>,
}

/// What holds for every case that does not say otherwise.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Defaults {
    /// The deadline of one attempt.
    timeout: Option<Duration>,
    /// Groups the report.
    area: Option<String>,
    /// How much they matter.
    priority: Option<Priority>,
    /// Who looks after them.
    owner: Option<String>,
    /// What it means for the business when one fails.
    impact: Option<String>,
}

/// One test.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Case {
    /// Its identity across runs, unique in the suite.
    id: String,
    /// Earlier ids, so that history survives a rename.
    was: Option<OneOrMany<String>>,
    /// For people. Default: the id.
    name: Option<String>,
    /// Groups the report.
    area: Option<String>,
    /// How much it matters.
    #[schemars(extend("default" = "P1"))]
    priority: Option<Priority>,
    /// Who looks after it.
    owner: Option<String>,
    /// What it means for the business when it fails.
    impact: Option<String>,
    /// The deadline of one attempt.
    #[schemars(extend("default" = "30s"))]
    timeout: Option<Duration>,
    /// Cases without which it makes no sense: when one is failing or not run, this is not_run.
    needs: Option<OneOrMany<String>>,
    /// The steps, so many times side by side; `${index}` counts from 0.
    parallel: Option<ParallelText>,
    /// The steps, so many times one after another.
    repeat: Option<RepeatText>,
    /// What must hold over all its runs.
    expect: Option<CaseExpect>,
    /// The steps.
    #[schemars(length(min = 1))]
    steps: Vec<Step>,
}

/// How many times, or a map.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum ParallelText {
    Times(#[schemars(range(min = 1, max = 10_000))] u32),
    Full(Parallel),
}

/// The steps side by side.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Parallel {
    /// How many.
    #[schemars(range(min = 1, max = 10_000))]
    times: u32,
    /// How many must pass. Default: all.
    #[schemars(range(min = 1, max = 10_000))]
    quorum: Option<u32>,
}

/// How many times, or a map.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum RepeatText {
    Times(#[schemars(range(min = 1, max = 10_000))] u32),
    Full(Repeat),
}

/// The steps one after another.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Repeat {
    /// How many.
    #[schemars(range(min = 1, max = 10_000))]
    times: u32,
    /// Time from the end of one to the start of the next.
    #[schemars(extend("default" = "0s"))]
    every: Option<Duration>,
}

/// What must hold over all runs of a case.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CaseExpect {
    /// A bound for every run, or bounds by percentile: `min`, `p50`, `p90`, `p95`, `p99`, `max`.
    latency: Option<LatencyText>,
}

/// A bound, or bounds by percentile.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum LatencyText {
    Every(Bound),
    ByPercentile(BTreeMap<String, Bound>),
}

/// Tests that another tool runs.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SuiteCommand {
    /// Its name, unique in the suite.
    name: String,
    /// The command.
    run: Command,
    /// Then its whole process tree is ended.
    #[schemars(extend("default" = "15m"))]
    timeout: Option<Duration>,
    /// Where results are found. Default: every file that it leaves in `$ANDON_RESULTS`.
    results: Option<OneOrMany<Results>>,
    /// Prints the planned ids, one a line, so that a crash shows what did not run.
    list: Option<Command>,
    /// Runs only the failing ids, which stand in `$ANDON_RERUN_FILE`, one a line.
    rerun: Option<Command>,
    /// `proxy`: its HTTP traffic goes through Andon, which counts connections and bytes per host.
    #[schemars(extend("const" = "proxy"))]
    observe: Option<String>,
    /// In how many parts it runs.
    #[schemars(range(min = 1, max = 1000), extend("default" = 1))]
    shards: Option<u32>,
    /// Variables of the command's environment.
    env: Option<BTreeMap<String, Plain>>,
    /// Names of Andon's own variables to pass on.
    env_pass: Option<OneOrMany<String>>,
    /// Groups the report.
    area: Option<String>,
    /// How much its cases matter.
    #[schemars(extend("default" = "P1"))]
    priority: Option<Priority>,
    /// Who looks after them.
    owner: Option<String>,
    /// What it means for the business when one fails.
    impact: Option<String>,
}

/// Files with results.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Results {
    /// Their format.
    #[schemars(extend(
        "enum" = ["auto", "junit", "ctrf", "tap", "go", "libtest", "playwright"],
        "default" = "auto"
    ))]
    format: Option<String>,
    /// Their names within `$ANDON_RESULTS`.
    #[schemars(extend("default" = "**/*"))]
    files: Option<Glob>,
}

/// Cases that run and are reported but do not decide the verdict.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Quarantine {
    /// Their ids: `*` stands for any characters, `?` for one.
    #[schemars(extend("examples" = ["test_018_*"]))]
    case: String,
    /// Who sees to it.
    owner: String,
    /// Why.
    reason: String,
    /// The last day on which it holds, UTC; past it they decide again.
    #[schemars(extend("format" = "date", "examples" = ["2026-12-31"]))]
    until: String,
}
