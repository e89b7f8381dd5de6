//! The program's own log: lines on standard error, for people or as JSON, and no more of the same than
//! [`flood`](super::flood) lets through. Where they go from there is the business of who started us.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::registry::LookupSpan;

use super::flood::{Fate, Flood};
use crate::cli::args::{Command, LogFormat};
use crate::cli::console::LogWriter;
use crate::cli::settings::{Detail, Settings};

/// Starts the log, as the settings want it.
pub(super) fn start(settings: &Settings, command: &Command) {
    let level = match settings.detail {
        Detail::Quiet => "andon=error",
        // Nobody looks at a daemon while it works: its log is what it did.
        Detail::Normal if matches!(command, Command::Daemon(_)) => "andon=info",
        Detail::Normal => "andon=warn",
        Detail::Verbose => "andon=info",
        Detail::Debug => "andon=debug",
    };
    let filter = EnvFilter::try_from_env("ANDON_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LogWriter);
    let form = settings.log_format;
    let started = match form {
        LogFormat::Json => {
            builder.json().map_event_format(|lines| Bounded::new(lines, form)).try_init()
        }
        LogFormat::Text => {
            let ansi = settings.console.has_colors();
            let builder = builder.with_ansi(ansi).with_target(false);
            builder.map_event_format(|lines| Bounded::new(lines, form)).try_init()
        }
    };
    debug_assert!(started.is_ok(), "logging starts once");
}

/// Writes lines as `lines` does, but not more of one place than is good for a disk.
struct Bounded<F> {
    lines: F,
    form: LogFormat,
    flood: Mutex<Flood<Identifier>>,
    begun: Instant,
}

impl<F> Bounded<F> {
    fn new(lines: F, form: LogFormat) -> Self {
        Self { lines, form, flood: Mutex::new(Flood::new()), begun: Instant::now() }
    }

    fn decide(&self, event: &Event<'_>) -> Fate {
        let mut flood = self.flood.lock().unwrap_or_else(PoisonError::into_inner);
        flood.decide(event.metadata().callsite(), self.begun.elapsed())
    }
}

impl<S, N, F> FormatEvent<S, N> for Bounded<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.decide(event) {
            Fate::LeftOut => Ok(()),
            Fate::Written { left_out: 0 } => self.lines.format_event(context, writer, event),
            Fate::Written { left_out } => {
                self.lines.format_event(context, writer.by_ref(), event)?;
                write_left_out(&mut writer, self.form, event, left_out)
            }
        }
    }
}

/// Says how many lines like this one were left out before it.
fn write_left_out(
    writer: &mut Writer<'_>,
    form: LogFormat,
    event: &Event<'_>,
    left_out: u64,
) -> fmt::Result {
    let text = format!("and {left_out} more like this before it");
    match form {
        LogFormat::Text => writeln!(writer, "    … {text}"),
        LogFormat::Json => {
            let mut at = String::new();
            SystemTime.format_time(&mut Writer::new(&mut at))?;
            let (level, target) = (event.metadata().level().as_str(), event.metadata().target());
            let fields = serde_json::json!({ "message": text, "left_out": left_out });
            let line = serde_json::json!({
                "timestamp": at, "level": level, "fields": fields, "target": target,
            });
            writeln!(writer, "{line}")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    use super::*;

    /// Writes what is said of lines that were left out, for each event.
    struct Said(LogFormat, Arc<Mutex<String>>);

    impl<S: Subscriber> Layer<S> for Said {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut text = self.1.lock().unwrap();
            write_left_out(&mut Writer::new(&mut *text), self.0, event, 1_234).unwrap();
        }
    }

    fn said(form: LogFormat) -> String {
        let text = Arc::new(Mutex::new(String::new()));
        let log = tracing_subscriber::registry().with(Said(form, Arc::clone(&text)));
        tracing::subscriber::with_default(log, || tracing::warn!("the store is down"));
        text.lock().unwrap().clone()
    }

    #[test]
    fn what_was_left_out_is_a_line_in_the_form_of_the_log() {
        assert_eq!(said(LogFormat::Text), "    … and 1234 more like this before it\n");
        let line = said(LogFormat::Json);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["fields"]["left_out"], 1_234);
        assert!(line["target"].as_str().unwrap().starts_with("andon::app::log"), "{line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }
}
