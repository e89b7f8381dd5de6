//! A running cycle, for whoever watches: lines and a moving line for people, events for programs.

mod live;
mod words;

use std::sync::Mutex;

pub use live::Live;

use super::console::Console;
use super::context::Context;
use super::output::{Out, clean};
use crate::engine::{Observer, Progress};

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
            Progress::Recorded { recorded, .. } => {
                let mut printer = self.out.lock().expect("no holder of this lock panics");
                // A full disk is no reason to end a cycle half-way; the records have it all.
                if let Err(fault) = printer.out.json_line(recorded)
                    && !std::mem::replace(&mut printer.told, true)
                {
                    tracing::error!(%fault, "cannot print events");
                }
            }
            Progress::Waiting { why: text } | Progress::Note { text } => {
                self.console.say_of("note", &clean(text));
            }
            Progress::Output { .. } | Progress::Ready { .. } | Progress::CaseStarted { .. } => {}
        }
    }
}
