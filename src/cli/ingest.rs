//! `ingest`: what Andon understands of result files.
//!
//! What it must not do: merge duplicates: it shows what stands in the files.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;

use super::args::IngestArgs;
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{Out, Table, bold, clean, counted, dim};
use super::results::{self, By, FileRead};
use crate::domain::identity::{Place, numbered};
use crate::ingest::{
    Reading, ReportedCase, ReportedOutcome, Sink, Standing, SuiteError, Totals, Warning,
};

/// How many failing cases are shown to a person.
const SHOWN: usize = 50;

/// `andon ingest`
pub fn ingest(context: &Context, args: &IngestArgs) -> CliResult {
    let mut cases = Cases::default();
    let mut files = Vec::new();
    for path in &args.files {
        for found in results::files_of(path)? {
            files.push(results::read(found, args.format.format(), &mut cases));
        }
    }
    let mut totals = Totals::default();
    files.iter().for_each(|file| totals.merge(&file.totals));
    let mut out = context.out();
    if args.json {
        let files: Vec<_> = files.iter().map(FileForm::of).collect();
        let totals = json!({
            "cases": totals.cases, "passed": totals.passed, "failed": totals.failed,
            "errored": totals.errored, "skipped": totals.skipped, "flaky": totals.flaky,
        });
        let form = json!({ "files": files, "totals": totals, "cases": cases.all });
        out.json(&form).map_err(printing)?;
    } else {
        print(&mut out, &files, &cases).map_err(printing)?;
    }
    conclude(files, &totals)
}

/// A file that was named and cannot be read is an error; else what the files say decides.
fn conclude(files: Vec<FileRead>, totals: &Totals) -> CliResult {
    let standings: Vec<Standing> = files.iter().filter_map(standing).collect();
    let named = |file: &FileRead| file.found.by == By::Name;
    if let Some(error) = files.into_iter().filter(named).find_map(FileRead::into_error) {
        return Err(error);
    }
    if standings.is_empty() {
        return Err(CliError::usage_text("there is no result file")
            .hint("name the files, or the folder, that the test tool writes"));
    }
    let good = totals.cases > 0
        && standings.iter().all(|one| matches!(one, Standing::Pass | Standing::Empty));
    Ok(if good { Status::Green } else { Status::NotGreen })
}

fn standing(file: &FileRead) -> Option<Standing> {
    file.result.as_ref().ok().map(|reading| file.totals.standing(reading))
}

/// A case as it is printed in JSON.
#[derive(Debug, Serialize)]
struct CaseForm {
    id: String,
    suite: Vec<Box<str>>,
    classname: Option<String>,
    name: String,
    file: Option<String>,
    project: Option<String>,
    outcome: &'static str,
    duration_ms: Option<u64>,
    message: Option<String>,
    /// What a person is shown instead of the message.
    #[serde(skip)]
    telling: Option<String>,
}

/// All cases, and how often each id came.
#[derive(Debug, Default)]
struct Cases {
    all: Vec<CaseForm>,
    ids: HashMap<String, u32>,
}

impl Sink for Cases {
    fn case(&mut self, case: ReportedCase) {
        let ReportedCase { suite, classname, project, .. } = &case;
        let place =
            Place { suite: suite.clone(), classname: classname.clone(), project: project.clone() };
        let id = place.id_of(&case.name);
        let number = self.ids.entry(id.clone()).or_default();
        *number += 1;
        self.all.push(CaseForm {
            id: numbered(&id, *number),
            suite: case.suite.to_vec(),
            classname: case.classname.as_deref().map(str::to_owned),
            name: case.name,
            file: case.file.as_deref().map(str::to_owned),
            project: case.project.as_deref().map(str::to_owned),
            outcome: case.outcome.as_str(),
            duration_ms: case.duration.map(|time| time.as_secs_f64().mul_add(1000.0, 0.5) as u64),
            telling: case.problem.as_ref().map(|problem| problem.telling().to_owned()),
            message: case.problem.map(|problem| problem.message),
        });
    }
}

/// A file as it is printed in JSON.
#[derive(Debug, Serialize)]
struct FileForm {
    path: String,
    format: Option<&'static str>,
    dialect: Option<&'static str>,
    cases: u64,
    verdict: Option<&'static str>,
    complete: Option<bool>,
    suite_errors: Vec<serde_json::Value>,
    warnings: Vec<String>,
    error: Option<String>,
}

impl FileForm {
    fn of(file: &FileRead) -> Self {
        let reading = file.result.as_ref().ok();
        let errors = reading.map(|reading| reading.suite_errors.as_slice()).unwrap_or_default();
        let error =
            |error: &SuiteError| json!({ "suite": error.suite.to_vec(), "message": error.message });
        Self {
            path: file.found.path.display().to_string(),
            format: reading.map(|reading| reading.format.as_str()),
            dialect: reading.map(|reading| reading.dialect),
            cases: file.totals.cases,
            verdict: standing(file).map(Standing::as_str),
            complete: reading.map(|reading| reading.complete),
            suite_errors: errors.iter().map(error).collect(),
            warnings: reading.map(warnings).unwrap_or_default(),
            error: file.result.as_ref().err().map(ToString::to_string),
        }
    }
}

/// What a person should know of a file, the line before it where that is known.
fn warnings(reading: &Reading) -> Vec<String> {
    let told = |warning: &Warning| match warning.line {
        Some(line) => format!("line {line}: {}", warning.what),
        None => warning.what.clone(),
    };
    reading.warnings.iter().map(told).collect()
}

fn print(out: &mut Out, files: &[FileRead], cases: &Cases) -> std::io::Result<()> {
    let mut table = Table::default();
    for file in files {
        if let Ok(reading) = &file.result {
            table.head(&[
                "file", "format", "verdict", "cases", "passed", "flaky", "failed", "errored",
                "skipped",
            ]);
            table.row(row(file, reading));
        }
    }
    table.print(out)?;
    print_failing(out, cases)?;
    for note in files.iter().flat_map(notes) {
        out.line(dim(&note))?;
    }
    Ok(())
}

fn row(file: &FileRead, reading: &Reading) -> Vec<String> {
    let totals = &file.totals;
    let mut row = vec![path(file), kind(reading), totals.standing(reading).to_string()];
    let ended = [totals.passed, totals.flaky, totals.failed, totals.errored, totals.skipped];
    row.push(totals.cases.to_string());
    row.extend(ended.map(|count| count.to_string()));
    row
}

/// What a person should know of a file beside its cases, a line each.
fn notes(file: &FileRead) -> Vec<String> {
    let path = path(file);
    match &file.result {
        Ok(reading) => {
            let error = |error: &SuiteError| {
                let suite = clean(&error.suite.join(" > "));
                format!("{path}: {suite}: {}", clean(&error.message))
            };
            let warned = warnings(reading);
            let warned = warned.iter().map(|what| format!("{path}: {}", clean(what)));
            reading.suite_errors.iter().map(error).chain(warned).collect()
        }
        Err(_) if file.is_by_the_way() => vec![format!("{path}: no result file")],
        Err(error) => vec![format!("{path}: {error}")],
    }
}

fn path(file: &FileRead) -> String {
    clean(&file.found.path.display().to_string())
}

fn kind(reading: &Reading) -> String {
    match reading.format.as_str() == reading.dialect {
        true => reading.dialect.to_owned(),
        false => format!("{} ({})", reading.format, reading.dialect),
    }
}

fn print_failing(out: &mut Out, cases: &Cases) -> std::io::Result<()> {
    let failing = [ReportedOutcome::Failed.as_str(), ReportedOutcome::Errored.as_str()];
    let failing: Vec<_> = cases.all.iter().filter(|case| failing.contains(&case.outcome)).collect();
    if failing.is_empty() {
        return Ok(());
    }
    out.line(bold(&counted(failing.len(), "failing case")))?;
    for case in failing.iter().take(SHOWN) {
        let message = case.telling.as_deref().unwrap_or_default();
        out.line(format!("  {} {}  {}", case.outcome, clean(&case.id), dim(&clean(message))))?;
    }
    if failing.len() > SHOWN {
        out.line(format!("  … and {} more: `--json` has them all", failing.len() - SHOWN))?;
    }
    Ok(())
}
