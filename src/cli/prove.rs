//! `prove`: which cases can fail at all, as a matrix of cases and faults. No network.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::args::ProveArgs;
use super::context::{Context, place_of, printing, read_file};
use super::error::{CliError, CliResult, Status};
use super::output::{Out, Table, bold, clean, counted, dim};
use crate::domain::spec::CaseGroup;
use crate::engine::{Clock as _, SystemClock};
use crate::pipeline::{self, MAX_SUITE_BYTES, Style};
use crate::probe::WallClock;
use crate::prove::{CaseProof, Fault, Proof, Shown};
use crate::rehearsal::{Given, RehearsalError, rehearse};

/// What is to be proved.
struct Subject {
    given: Given,
    groups: Vec<CaseGroup>,
    commands: Vec<String>,
}

/// `andon prove`
pub async fn prove(context: &Context, args: &ProveArgs) -> CliResult {
    let subject = load(context, &args.file)?;
    let Subject { given, groups, commands } = subject;
    let cancel = &context.host.cancel;
    let proof = match rehearse(given, &groups, commands, cancel).await {
        Ok(proof) => proof,
        Err(RehearsalError::Cancelled) => return Ok(Status::Cancelled),
        Err(fault @ RehearsalError::Env(_)) => return Err(CliError::usage(fault)),
        Err(fault @ RehearsalError::Defect(_)) => return Err(CliError::defect(fault)),
    };
    let mut out = context.out();
    if args.json {
        out.json(&proof.json()).map_err(printing)?;
    } else {
        print(&mut out, &proof).map_err(printing)?;
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
    let commands = suite.commands.iter().map(|command| command.name.clone()).collect();
    let given = Given::by_pipeline(&pipeline, Arc::clone(&context.host.env), clock());
    Ok(Subject { given, groups: suite.groups.clone(), commands })
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
    Ok(Subject { given, groups: vec![group], commands: Vec::new() })
}

fn clock() -> WallClock {
    WallClock::new(|| SystemClock.now())
}

/// The heading of a column.
fn heading(fault: Fault) -> &'static str {
    match fault {
        Fault::Status500 => "500",
        Fault::Status404 => "404",
        Fault::EmptyJson => "{}",
        Fault::Refused => "refused",
        Fault::NoAnswer => "silent",
        Fault::WsClose1011 => "1011",
        Fault::EventsMissing => "missing",
        Fault::EventsReordered => "order",
        Fault::EventsForeign => "foreign",
        Fault::Slow => "slow",
        Fault::Stale => "stale",
    }
}

fn cell(shown: &Shown) -> String {
    match shown {
        Shown::Detected => "yes".to_owned(),
        Shown::Missed => bold("MISSED"),
        Shown::NotApplicable(_) => dim("·"),
    }
}

fn print(out: &mut Out, proof: &Proof) -> std::io::Result<()> {
    if !proof.cases.is_empty() {
        let mut headings = vec!["case"];
        headings.extend(Fault::ALL.map(heading));
        let mut table = Table::new(&headings);
        for case in &proof.cases {
            let id = clean(case.id.as_str());
            table.row(std::iter::once(id).chain(case.shown.iter().map(|(_, shown)| cell(shown))));
        }
        table.print(out)?;
        out.line("")?;
    }
    out.line(format!(
        "{} of {} faults detected{}",
        proof.detected(),
        proof.applicable(),
        share(proof)
    ))?;
    for case in proof.cases.iter().filter(|case| case.missed().next().is_some()) {
        print_missed(out, case)?;
    }
    for case in &proof.cases {
        if let Some(why) = &case.not_tried {
            let id = clean(case.id.as_str());
            out.line(format!(
                "{id} was not tried: no service that it passes with could be made up: {}",
                clean(why)
            ))?;
        }
    }
    if !proof.commands.is_empty() {
        let (count, names) = (counted(proof.commands.len(), "command"), proof.commands.join(", "));
        out.line(format!("not tried: {count} of the suite ({})", clean(&names)))?;
    }
    if proof.cases.is_empty() {
        out.line("no native case: nothing was tried")?;
    }
    Ok(())
}

fn share(proof: &Proof) -> String {
    match proof.applicable() {
        0 => String::new(),
        // Rounded down: 100 % is all of them.
        applicable => format!(" ({} %)", proof.detected() * 100 / applicable),
    }
}

fn print_missed(out: &mut Out, case: &CaseProof) -> std::io::Result<()> {
    let missed: Vec<String> = case.missed().map(|fault| missed_at(case, fault)).collect();
    let vacuous = if case.is_vacuous() { ": it is vacuous" } else { "" };
    let id = clean(case.id.as_str());
    out.line(format!("{} passes under {}{vacuous}", bold(&id), missed.join(", ")))
}

/// A fault that was missed, and by which steps.
fn missed_at(case: &CaseProof, fault: Fault) -> String {
    let steps: Vec<String> =
        case.unnoticed_at(fault).iter().map(|step| format!("`{}`", clean(step))).collect();
    match steps.is_empty() {
        true => fault.name().to_owned(),
        false => format!("{} at {}", fault.name(), steps.join(", ")),
    }
}
