//! Logs of a daemon that may be elsewhere: in ranges, each from where the last one ended.

use super::{FOLLOW_POLL, LogsArgs, Printer, heading_of};
use crate::cli::context::{Context, printing};
use crate::cli::error::{CliError, CliResult, Status};
use crate::cli::remote::{Remote, of_pipeline};
use crate::domain::outcome::Phase;
use crate::web::forms::{LogForm, LogsForm};

/// Where the logs of one cycle are.
struct Source {
    remote: Remote,
    pipeline: String,
    cycle: String,
}

/// `andon logs --url`
pub(super) async fn logs(context: &Context, args: &LogsArgs, phase: Option<Phase>) -> CliResult {
    let pipeline = context.pipeline_name(&args.pipeline)?.to_string();
    let remote = Remote::find(context, &args.remote)?;
    let cycle = newest_or(&remote, &pipeline, args.cycle).await?;
    let source = Source { remote, pipeline, cycle };
    let mut printer = Printer::new(context);
    loop {
        let path = of_pipeline(&source.pipeline, &["cycles", &source.cycle, "logs"]);
        let list: LogsForm = source.remote.get(&path).await?;
        let all = list.over || !args.follow;
        source.print_new(&mut printer, &list.logs, phase, all).await?;
        if list.over || !args.follow || printer.out.reader_is_gone() {
            break;
        }
        tokio::select! {
            () = context.host.cancel.cancelled() => break,
            () = tokio::time::sleep(FOLLOW_POLL) => {}
        }
    }
    printer.end().map_err(printing)?;
    if printer.step.is_none() {
        context.note(&format!("cycle {} of {} ran no command", source.cycle, source.pipeline));
    }
    Ok(Status::Green)
}

/// The number of the newest cycle, so that all that follows is about one.
async fn newest_or(
    remote: &Remote,
    pipeline: &str,
    cycle: Option<u32>,
) -> Result<String, CliError> {
    if let Some(cycle) = cycle {
        return Ok(cycle.to_string());
    }
    let path = of_pipeline(pipeline, &[]);
    let now: crate::web::forms::PipelineForm = remote.get(&path).await?;
    let latest = now.latest.map(|row| row.cycle.to_string());
    latest.ok_or_else(|| CliError::usage_text(format_args!("pipeline {pipeline} has no cycles")))
}

impl Source {
    async fn print_new(
        &self,
        printer: &mut Printer,
        logs: &[LogForm],
        only: Option<Phase>,
        all: bool,
    ) -> Result<(), CliError> {
        let first = printer.step.unwrap_or(0);
        for (position, log) in logs.iter().enumerate().skip(first) {
            if only.is_some_and(|phase| phase.as_str() != log.phase) {
                continue;
            }
            let heading =
                || heading_of(&log.phase, log.step, log.attempt, &log.name, log.end.as_deref());
            printer.begin(position, heading).map_err(printing)?;
            self.copy(printer, log).await?;
            if log.end.is_none() && !all {
                break;
            }
        }
        Ok(())
    }

    async fn copy(&self, printer: &mut Printer, log: &LogForm) -> Result<(), CliError> {
        if log.bytes <= printer.offset {
            return Ok(());
        }
        let number = log.log.to_string();
        let path = of_pipeline(&self.pipeline, &["cycles", &self.cycle, "logs", &number]);
        let Some(mut response) = self.remote.log(&path, printer.offset).await? else {
            return Ok(());
        };
        while let Some(chunk) = response.chunk().await.map_err(|fault| {
            // What came is printed; asked again, it goes on from there.
            CliError::usage(fault.without_url())
        })? {
            printer.offset += chunk.len() as u64;
            printer.print(&chunk).map_err(printing)?;
        }
        Ok(())
    }
}
