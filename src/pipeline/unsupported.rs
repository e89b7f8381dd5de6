//! Which parts of a pipeline this version does not act on, by who runs it.

use crate::domain::spec::{Pipeline, Poll, Until};

/// A part that is checked but not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Unsupported {
    /// The key, such as `suite.commands`.
    pub part: &'static str,
    /// What does not happen.
    pub why: &'static str,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.part, self.why)
    }
}

/// Who runs a pipeline: what `andon run` leaves out, the daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunBy {
    /// `andon run`: cycles in the foreground, when somebody asks.
    Hand,
    /// The daemon: whenever something asks for one.
    Daemon,
}

/// The parts that are not acted on, in the order of the file: those that were written, never what
/// holds by default.
pub fn parts_not_acted_on(pipeline: &Pipeline, by: RunBy) -> Vec<Unsupported> {
    let by_hand = by == RunBy::Hand;
    let watches = pipeline.watch.as_ref().is_some_and(|watch| match watch.poll {
        Poll::Every(_) => true,
        Poll::Default(_) | Poll::Off => false,
    });
    let loops = match pipeline.cycles.until {
        Until::Once => false,
        Until::Green | Until::Always => true,
    };
    let schedules = !pipeline.schedules.is_empty();
    let parts = [
        (by_hand && watches, "watch.poll", "new commits start no cycles"),
        (by_hand && schedules, "schedule", "no cycle starts by the clock"),
        (by_hand && loops, "cycles.until", "one cycle is run, not a loop"),
        (by_hand && pipeline.alarm.is_some(), "alarm", "silence is not noticed"),
    ];
    parts
        .into_iter()
        .filter(|(configured, ..)| *configured)
        .map(|(_, part, why)| Unsupported { part, why })
        .collect()
}
