//! Medians and ranges, and the lines in which they are printed.

use std::fmt;
use std::time::Duration;

use super::measure::Cost;

/// The costs of several rounds.
#[derive(Debug, Clone)]
pub struct Series {
    walls: Vec<Duration>,
    cpus: Vec<Duration>,
    peaks: Vec<u64>,
}

impl Series {
    /// A series of at least one round.
    pub fn new(costs: &[Cost]) -> Self {
        let mut walls: Vec<Duration> = costs.iter().map(|cost| cost.wall).collect();
        let mut peaks: Vec<u64> = costs.iter().map(|cost| cost.peak_kib).collect();
        let mut cpus: Vec<Duration> = costs.iter().map(|cost| cost.cpu).collect();
        walls.sort_unstable();
        cpus.sort_unstable();
        peaks.sort_unstable();
        Self { walls, cpus, peaks }
    }

    /// The median of the wall times.
    pub fn median(&self) -> Duration {
        self.walls[self.walls.len() / 2]
    }

    /// The largest peak of memory, in MiB.
    pub fn peak_mib(&self) -> f64 {
        self.peaks.last().map_or(0.0, |kib| *kib as f64 / 1024.0)
    }
}

/// How long something took, many times.
#[derive(Debug, Clone)]
pub struct Spread(Vec<Duration>);

impl Spread {
    /// Of at least one.
    pub fn new(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        Self(took)
    }

    /// So many percent took no longer.
    pub fn part(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.saturating_sub(1)]
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (ms(self.0[0]), ms(self.0[self.0.len() - 1]));
        let (p50, p99) = (ms(self.part(50)), ms(self.part(99)));
        write!(out, "p50 {p50:.1} ms, p99 {p99:.1} ms, {first:.1}–{last:.1} ms")
    }
}

/// What a figure may be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bar {
    /// At most so long, in all.
    pub wall: Option<Duration>,
    /// At most so much longer than the run of one case.
    pub more: Option<Duration>,
    /// At most so much memory, in MiB.
    pub mib: Option<f64>,
}

/// Prints what the columns are.
pub fn print_head() {
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>8} {:>7} {:>7} {:>9}   bar",
        "figure", "min ms", "median ms", "max ms", "more ms", "× one", "cpu ms", "peak MiB"
    );
}

/// Prints a series beside its bar and beside the run of one case.
pub fn print(name: &str, series: &Series, one: Option<Duration>, bar: Bar) {
    let median = series.median();
    let more = one.map(|one| median.saturating_sub(one));
    let ratio = one.map(|one| median.as_secs_f64() / one.as_secs_f64());
    println!(
        "{name:<34} {:>9.1} {:>9.1} {:>9.1} {:>8} {:>7} {:>7.1} {:>9.1}   {}",
        ms(series.walls[0]),
        ms(median),
        ms(series.walls[series.walls.len() - 1]),
        more.map_or_else(String::new, |more| format!("{:.1}", ms(more))),
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.1}")),
        ms(series.cpus[series.cpus.len() / 2]),
        series.peak_mib(),
        judged(series, more, bar)
    );
}

/// Prints a figure that is no series of processes.
pub fn print_plain(name: &str, figure: &str, bar: &str) {
    println!("{name:<34} {figure}   {bar}");
}

fn judged(series: &Series, more: Option<Duration>, bar: Bar) -> String {
    let mut parts = Vec::new();
    if let Some(limit) = bar.wall {
        parts.push(word(series.median() < limit, format!("under {} ms", limit.as_millis())));
    }
    if let (Some(limit), Some(more)) = (bar.more, more) {
        parts.push(word(more < limit, format!("under {} ms more", limit.as_millis())));
    }
    if let Some(limit) = bar.mib {
        parts.push(word(series.peak_mib() < limit, format!("under {limit} MiB")));
    }
    parts.join(", ")
}

/// A bar, and whether it is reached.
pub fn word(is_reached: bool, bar: String) -> String {
    format!("{bar}: {}", if is_reached { "yes" } else { "NO" })
}

/// Milliseconds with their fraction.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
