//! `prove`: which cases can fail at all, as a matrix of cases and faults. Native cases need no network; the
//! commands of a suite meet the real service first.

mod commands;
mod show;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::args::ProveArgs;
use super::context::{Context, place_of, printing, read_file};
use super::error::{CliError, CliResult, Status};
use crate::domain::spec::{CaseGroup, Pipeline};
use crate::engine::{Clock as _, SystemClock};
use crate::pipeline::{self, MAX_SUITE_BYTES, Style};
use crate::probe::WallClock;
use crate::prove::Proof;
use crate::rehearsal::{Given, RehearsalError, rehearse};

/// What is to be proved.
struct Subject {
    given: Given,
    groups: Vec<CaseGroup>,
    /// Where it is one with a suite.
    pipeline: Option<Arc<Pipeline>>,
}

/// `andon prove`
pub async fn prove(context: &Context, args: &ProveArgs) -> CliResult {
    let subject = load(context, &args.file)?;
    let Subject { given, groups, pipeline } = subject;
    let cancel = &context.host.cancel;
    let cases = match rehearse(given, &groups, cancel).await {
        Ok(cases) => cases,
        Err(RehearsalError::Cancelled) => return Ok(Status::Cancelled),
        Err(fault @ RehearsalError::Env(_)) => return Err(CliError::usage(fault)),
        Err(fault @ RehearsalError::Defect(_)) => return Err(CliError::defect(fault)),
    };
    let mut proof = Proof { cases, commands: Vec::new() };
    if let Some(pipeline) = pipeline {
        match commands::try_all(context, args, pipeline).await? {
            Some((commands, cases)) => {
                proof.commands = commands;
                proof.cases.extend(cases);
            }
            None => return Ok(Status::Cancelled),
        }
    }
    let mut out = context.out();
    if args.json {
        out.json(&proof.json()).map_err(printing)?;
    } else {
        show::print(&mut out, &proof).map_err(printing)?;
    }
    // Of a suite of which nothing was tried nothing is known: that is no good news.
    let is_proved = proof.applicable() > 0 && proof.vacuous().next().is_none();
    Ok(if is_proved { Status::Green } else { Status::NotGreen })
}

/// A suite file has cases of its own; all else is a pipeline.
fn load(context: &Context, given: &Path) -> Result<Subject, CliError> {
    let file = context.pipeline_file(given)?;
    let bytes = read_file(&file, MAX_SUITE_BYTES)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(CliError::usage)?;
    if String::from_utf8_lossy(&bytes).lines().any(|line| line.starts_with("cases:")) {
        return load_suite(context, &file);
    }
    let pipeline = context.load(&file)?;
    let Some(suite) = &pipeline.suite else {
        return Err(CliError::usage_text(format_args!("{} has no suite", pipeline.name)));
    };
    let given = Given::by_pipeline(&pipeline, Arc::clone(&context.host.env), clock());
    Ok(Subject { given, groups: suite.groups.clone(), pipeline: Some(Arc::new(pipeline)) })
}

fn load_suite(context: &Context, file: &Path) -> Result<Subject, CliError> {
    let loaded = pipeline::load_suite(&read_file, &place_of(file)?);
    for diagnostic in &loaded.diagnostics {
        context.note(&diagnostic.render(Style::Coloured));
        context.note("");
    }
    let Some((_, group)) = loaded.suite else {
        let text = format!("{} is not a valid suite file", file.display());
        let hint = "correct what is marked above; `andon schema suite` is for your editor";
        return Err(CliError::usage_text(text).hint(hint));
    };
    let given = Given::by_need(&group, Arc::clone(&context.host.env), clock());
    Ok(Subject { given, groups: vec![group], pipeline: None })
}

fn clock() -> WallClock {
    WallClock::new(|| SystemClock.now())
}
