//! Result files of other tools: two runs of a suite read, compared and written as Markdown, as a whole process;
//! and the reader of JUnit XML alone, on one core.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use andon::ingest::{self, ReportedCase, Sink};
use anyhow::{Result, ensure};

use super::measure;
use super::options::Options;
use super::stage;
use super::table::{self, Bar, Series, print_plain};

/// How many cases the files have, and what `compare` of two of them may cost.
const SIZES: [(&str, usize, u64, Option<f64>); 3] = [
    ("compare-10000", 10_000, 60, None),
    ("compare-100000", 100_000, 500, Some(100.0)),
    ("compare-1000000", 1_000_000, 5_000, Some(600.0)),
];

/// Cases of one suite.
const SUITE: usize = 50;

/// Measures and prints what was asked for.
pub fn print(options: &Options, dir: &Path) -> Result<()> {
    for (name, cases, millis, mib) in SIZES {
        if !name.starts_with(&options.only) {
            continue;
        }
        std::fs::write(dir.join("a.xml"), junit(cases, 7))?;
        std::fs::write(dir.join("b.xml"), junit(cases, 8))?;
        let args = ["compare", "a.xml", "b.xml", "--markdown"];
        // One case of each suite regresses, so the exit code is 1.
        let round = || Ok(measure::run(stage::andon(), &args, dir, &[], &[1])?.0);
        round()?;
        let costs: Result<Vec<_>> = (0..options.rounds).map(|_| round()).collect();
        let bar = Bar { wall: Some(Duration::from_millis(millis)), more: None, mib };
        table::print(name, &Series::new(&costs?), None, bar);
    }
    if "junit".starts_with(&options.only) {
        reader(options)?;
    }
    Ok(())
}

/// Counts cases and forgets them.
struct Counting(usize);

impl Sink for Counting {
    fn case(&mut self, _: ReportedCase) {
        self.0 += 1;
    }
}

fn reader(options: &Options) -> Result<()> {
    let cases = 100_000;
    let file = junit(cases, 7);
    let mut best = Duration::MAX;
    for _ in 0..=options.rounds {
        let mut counting = Counting(0);
        let started = Instant::now();
        ingest::read(&mut file.as_bytes(), None, &mut counting)?;
        best = best.min(started.elapsed());
        ensure!(counting.0 == cases, "{} cases were read", counting.0);
    }
    let rate = file.len() as f64 / 1e6 / best.as_secs_f64();
    let bar = table::word(rate >= 250.0, "250 MB/s".to_owned());
    print_plain("JUnit XML read on one core, best round", &format!("{rate:.0} MB/s"), &bar);
    Ok(())
}

/// A JUnit file as pytest or Surefire write it: one case of each suite fails, with a stack trace.
fn junit(cases: usize, failing: usize) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in 0..cases / SUITE {
        let class = format!("com.example.shop.module{}.Suite{suite}", suite % 40);
        let _ = writeln!(
            text,
            "  <testsuite name=\"{class}\" tests=\"{SUITE}\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"1.5\">"
        );
        for case in 0..SUITE {
            let _ = write!(
                text,
                "    <testcase classname=\"{class}\" name=\"case_{case}_checks_what_it_should\" time=\"0.0{case:02}\""
            );
            text.push_str(if case == failing { ">\n" } else { "/>\n" });
            if case == failing {
                text.push_str(FAILURE);
            }
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

const FAILURE: &str =
    "      <failure message=\"expected &lt;44&gt; but was &lt;45&gt;\" type=\"AssertionError\">\
AssertionError: expected &lt;44&gt; but was &lt;45&gt;
    at com.example.shop.Cart.total(Cart.java:12)
    at com.example.shop.CartTest.totalOfThree(CartTest.java:34)
    at java.base/java.lang.reflect.Method.invoke(Method.java:569)
</failure>
    </testcase>
";
