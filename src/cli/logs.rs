//! `logs`: what the commands of a cycle wrote, masked when it was written.

mod remote;

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use super::args::LogsArgs;
use super::context::{Context, load_state, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{Out, bold, clean, clean_lines};
use super::suggest;
use crate::domain::outcome::Phase;
use crate::domain::state::CycleState;
use crate::engine::{Log, LogText, StatePaths, logs_of};
use crate::store::{CycleRow, Store, Which};

const FOLLOW_POLL: Duration = Duration::from_millis(200);
/// On a terminal a longer line is broken here.
const MAX_LINE: usize = 64 << 10;

/// `andon logs`
pub async fn logs(context: &Context, args: &LogsArgs) -> CliResult {
    let phase = args.phase.as_deref().map(phase_with_logs).transpose()?;
    if args.remote.url.is_some() {
        return remote::logs(context, args, phase).await;
    }
    let store = context.store().await?;
    let row = newest_or(context, store.as_ref(), args).await?;
    let mut printer = Printer::new(context);
    loop {
        let state = load_state(store.as_ref(), &row).await?;
        let over = !state.may_run_steps();
        printer.print_new(&state, phase, over || !args.follow).map_err(printing)?;
        if over || !args.follow || printer.out.reader_is_gone() {
            break;
        }
        tokio::select! {
            () = context.host.cancel.cancelled() => break,
            () = tokio::time::sleep(FOLLOW_POLL) => {}
        }
    }
    printer.end().map_err(printing)?;
    if printer.step.is_none() {
        context.note(&format!("{} ran no command", row.key()));
    }
    Ok(Status::Green)
}

fn phase_with_logs(word: &str) -> Result<Phase, CliError> {
    match Phase::parse(word) {
        Some(phase @ (Phase::Deploy | Phase::Suite | Phase::Rollback)) => Ok(phase),
        Some(_) => Err(CliError::usage_text(format_args!("phase {word} runs no commands")).hint(
            "only `deploy`, `suite` and `rollback` have logs; `andon show` tells about the others",
        )),
        None => {
            let words: Vec<&str> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
            let hint = suggest::question(word, &words);
            Err(CliError::usage_text(format_args!("there is no phase {word:?}"))
                .hint(hint.unwrap_or_else(|| format!("one of: {}", words.join(", ")))))
        }
    }
}

/// The cycle asked for; by default the newest, running or not.
async fn newest_or(
    context: &Context,
    store: &dyn Store,
    args: &LogsArgs,
) -> Result<CycleRow, CliError> {
    let name = context.pipeline_name(&args.pipeline)?;
    if args.cycle.is_none()
        && let Some(row) = store.find_cycle(&name, Which::Latest).await?
    {
        return Ok(row);
    }
    context.cycle(store, &name, args.cycle).await
}

/// Prints the logs of the steps one after another, each from where it stopped.
struct Printer {
    out: Out,
    paths: StatePaths,
    step: Option<usize>,
    offset: u64,
    /// On a terminal: the beginning of a line whose end has not come. `None`: bytes as they are.
    partial_line: Option<Vec<u8>>,
}

impl Printer {
    fn new(context: &Context) -> Self {
        let partial_line = context.host.columns.map(|_| Vec::new());
        Self { out: context.out(), paths: context.paths(), step: None, offset: 0, partial_line }
    }

    /// `all`: also what comes after a log that still grows. Logs that grow side by side are printed one
    /// after the other.
    fn print_new(
        &mut self,
        state: &CycleState,
        only: Option<Phase>,
        all: bool,
    ) -> std::io::Result<()> {
        let first = self.step.unwrap_or(0);
        let logs = logs_of(state).into_iter().enumerate().skip(first);
        for (position, log) in logs.filter(|(_, log)| only.is_none_or(|phase| phase == log.phase)) {
            self.begin(position, || heading(&log))?;
            match log.text {
                LogText::File(path) => self.copy(&self.paths.root().join(path))?,
                LogText::Kept(output) => {
                    let text = output.map_or("", |output| output.text.as_str());
                    clean_lines(text).try_for_each(|line| self.out.line(line))?;
                }
            }
            if log.end.is_none() && !all {
                break;
            }
        }
        Ok(())
    }

    /// Goes on with the log at that position, under a heading where it has just begun.
    fn begin(&mut self, position: usize, heading: impl FnOnce() -> String) -> std::io::Result<()> {
        if self.step != Some(position) {
            self.end()?;
            self.out.line(bold(&heading()))?;
            (self.step, self.offset) = (Some(position), 0);
        }
        Ok(())
    }

    /// Copies what is new, in pieces: no log is ever held whole.
    fn copy(&mut self, log: &Path) -> std::io::Result<()> {
        use std::io::Seek as _;
        let Ok(mut file) = std::fs::File::open(log) else { return Ok(()) };
        file.seek(std::io::SeekFrom::Start(self.offset))?;
        let mut chunk = vec![0; 64 << 10];
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                return Ok(());
            }
            self.offset += count as u64;
            self.print(&chunk[..count])?;
        }
    }

    /// Prints a piece of a log: as it is, or on a terminal line by line without what drives one.
    fn print(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let Some(partial) = &mut self.partial_line else { return self.out.verbatim(bytes) };
        partial.extend_from_slice(bytes);
        let whole = match partial.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if partial.len() >= MAX_LINE => partial.len(),
            None => return Ok(()),
        };
        let lines: Vec<u8> = partial.drain(..whole).collect();
        clean_lines(&String::from_utf8_lossy(&lines)).try_for_each(|line| self.out.line(line))
    }

    /// Prints what waited for the end of its line.
    fn end(&mut self) -> std::io::Result<()> {
        let rest = self.partial_line.as_mut().map(std::mem::take).unwrap_or_default();
        clean_lines(&String::from_utf8_lossy(&rest)).try_for_each(|line| self.out.line(line))
    }
}

fn heading(log: &Log<'_>) -> String {
    heading_of(log.phase.as_str(), log.step, log.attempt, &log.name, log.end)
}

fn heading_of(phase: &str, step: u32, attempt: u32, name: &str, end: Option<&str>) -> String {
    let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
    let end = end.map_or_else(|| "running".to_owned(), clean);
    format!("── {} step {step}: {}{again} ({end})", clean(phase), clean(name))
}
