//! A running cycle, for whoever watches: lines and a moving line for people, events for programs.

mod live;
mod words;

use std::sync::Mutex;

use serde::Serialize;

pub use live::Live;

use super::console::Console;
use super::context::Context;
use super::output::{Out, clean};
use crate::domain::event::Recorded;
use crate::domain::state::CycleState;
use crate::engine::{Observer, Progress};

/// An event and the cycle that it is of: the form of the daemon's live events.
#[derive(Serialize)]
struct Line<'a> {
    pipeline: &'a str,
    cycle: u32,
    #[serde(flatten)]
    recorded: &'a Recorded,
}

impl<'a> Line<'a> {
    fn of(recorded: &'a Recorded, state: &'a CycleState) -> Self {
        let queued = &state.queued;
        Self { pipeline: queued.pipeline.as_str(), cycle: queued.cycle, recorded }
    }
}

/// Prints every event as one line of JSON on standard output.
pub struct JsonLines {
    console: Console,
    out: Mutex<Printer>,
}

struct Printer {
    out: Out,
    told: bool,
}

impl JsonLines {
    /// On standard output.
    pub fn new(context: &Context) -> Self {
        let out = Mutex::new(Printer { out: context.out(), told: false });
        Self { console: context.settings.console, out }
    }
}

impl Observer for JsonLines {
    fn on(&self, progress: Progress<'_>) {
        match progress {
            Progress::Recorded { recorded, state } => {
                let mut printer = self.out.lock().expect("no holder of this lock panics");
                // A full disk is no reason to end a cycle half-way; the records have it all.
                if let Err(fault) = printer.out.json_line(&Line::of(recorded, state))
                    && !std::mem::replace(&mut printer.told, true)
                {
                    tracing::error!(%fault, "cannot print events");
                }
            }
            Progress::Waiting { why: text } | Progress::Note { text } => {
                self.console.say_of("note", &clean(text));
            }
            Progress::Output { .. }
            | Progress::Ready { .. }
            | Progress::CaseStarted { .. }
            | Progress::Counted { .. }
            | Progress::Reported { .. } => {}
        }
    }
}
