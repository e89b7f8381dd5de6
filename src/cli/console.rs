//! Standard error: everything that is said and is no data, in one voice.
//!
//! Lines that stay never cross the line that moves, whoever prints them: a running cycle, a
//! command, the log. With `--log-format json` each of them is an object of the form that the log has.

use std::io::{self, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::args::{Global, LogFormat};
use super::error::CliError;
use super::output::{choice, dim, seen_json};
use crate::engine::{Clock as _, SystemClock};

const TICK: Duration = Duration::from_millis(120);

/// The line that moves, while there is one. Standard error is one for the whole process.
static MOVING: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A voice on standard error.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    color: anstream::ColorChoice,
    format: LogFormat,
}

impl Console {
    /// As the options say.
    pub fn new(global: &Global, format: LogFormat) -> Self {
        Self { color: choice(global.color), format }
    }

    /// Whether lines for people have colours.
    pub fn has_colors(&self) -> bool {
        let chosen = match self.color {
            anstream::ColorChoice::Auto => anstream::AutoStream::choice(&io::stderr()),
            chosen => chosen,
        };
        chosen != anstream::ColorChoice::Never
    }

    /// Whether what is said is for people, not for programs.
    pub fn is_for_people(&self) -> bool {
        self.format == LogFormat::Text
    }

    /// Says something.
    pub fn say(&self, text: &str) {
        match self.format {
            LogFormat::Text => self.print(text),
            LogFormat::Json => self.print_object("INFO", json!({ "message": plain(text) })),
        }
    }

    /// Says something about a phase of a cycle.
    pub fn say_of(&self, what: &str, text: &str) {
        match self.format {
            LogFormat::Text => self.print(&format!("{} {text}", dim(&format!("{what:>9}")))),
            LogFormat::Json => {
                self.print_object("INFO", json!({ "message": plain(text), "of": what }));
            }
        }
    }

    /// Says why a command could not do its work.
    pub fn fail(&self, error: &CliError) {
        match self.format {
            LogFormat::Text => self.print(&error.render()),
            LogFormat::Json => {
                let fields =
                    json!({ "message": format!("{:#}", error.error), "help": error.hints });
                self.print_object("ERROR", fields);
            }
        }
    }

    fn print_object(&self, level: &str, fields: serde_json::Value) {
        let object = json!({
            "timestamp": SystemClock.now(), "level": level, "fields": fields, "target": "andon",
        });
        self.print(&seen_json(object.to_string()));
    }

    fn print(&self, text: &str) {
        above_the_moving_line(|| {
            let mut stream = anstream::AutoStream::new(io::stderr(), self.color);
            // When standard error is gone there is nobody left to tell.
            let _ = writeln!(stream, "{text}");
        });
    }
}

/// Shows a text in the line that moves.
pub fn show_moving(text: String) {
    moving().get_or_insert_with(moving_line).set_message(text);
}

/// Takes the line that moves away.
pub fn clear_moving() {
    if let Some(bar) = moving().take() {
        bar.finish_and_clear();
    }
}

fn moving_line() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
        .expect("the template is a constant");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        above_the_moving_line(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn above_the_moving_line<T>(print: impl FnOnce() -> T) -> T {
    match &*moving() {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

fn moving() -> std::sync::MutexGuard<'static, Option<ProgressBar>> {
    MOVING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
