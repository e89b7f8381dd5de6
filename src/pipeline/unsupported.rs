//! Which parts of a pipeline this version's `andon run` does not act on yet.

use crate::domain::spec::{Pipeline, Poll, Until};

/// A part that is checked but not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Unsupported {
    /// The key, such as `suite.commands`.
    pub part: &'static str,
    /// What does not happen.
    pub why: &'static str,
}

/// The parts that `andon run` does not act on, in the order of the file: those that were written,
/// never what holds by default.
pub fn parts_not_acted_on(pipeline: &Pipeline) -> Vec<Unsupported> {
    let watches = pipeline.watch.as_ref().is_some_and(|watch| match watch.poll {
        Poll::Every(_) => true,
        Poll::Default(_) | Poll::Off => false,
    });
    let rollback = pipeline.deploy.as_ref().is_some_and(|deploy| deploy.rollback.is_some());
    let commands = pipeline.suite.as_ref().is_some_and(|suite| !suite.commands.is_empty());
    let loops = match pipeline.cycles.until {
        Until::Once => false,
        Until::Green | Until::Always => true,
    };
    let searches = pipeline.culprit.as_ref().is_some_and(|culprit| culprit.search);
    let parts = [
        (watches, "watch.poll", "new commits do not start cycles: run one by hand"),
        (!pipeline.schedules.is_empty(), "schedule", "no cycle starts by the clock"),
        (rollback, "deploy.rollback", "after a failed deploy nothing is rolled back"),
        (commands, "suite.commands", "tests of other tools are not run: only native cases count"),
        (loops, "cycles.until", "one cycle is run, not a loop"),
        (searches, "culprit", "no commits are deployed to search the one that broke a cycle"),
        (pipeline.report.publish.is_some(), "report.publish", "reports are written but not pushed"),
        (!pipeline.notify.is_empty(), "notify", "nobody is told"),
        (pipeline.alarm.is_some(), "alarm", "silence is not noticed"),
    ];
    parts
        .into_iter()
        .filter(|(configured, ..)| *configured)
        .map(|(_, part, why)| Unsupported { part, why })
        .collect()
}
