//! `check`: every fault of every file at once, and what valid pipelines mean. No network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::args::CheckArgs;
use super::context::{Context, load_file, no_folder, no_such_file, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{Out, bold, clean, counted, dim, millis};
use crate::daemon::yaml_files;
use crate::domain::login::masked_logins;
use crate::domain::paths::normal;
use crate::domain::spec::{Pipeline, Ready, Suite};
use crate::engine::{Clock as _, SystemClock};
use crate::git::missing_here;
use crate::pipeline::crontab::Crontab;
use crate::pipeline::{self, Diagnostic, Loaded, RunBy, Severity, Style};

/// How many coming times of a schedule are shown.
const NEXT_TIMES: usize = 3;
/// At most so many faults of one file are shown; the rest is counted.
const MAX_SHOWN: usize = 100;

/// `andon check`
pub fn check(context: &Context, args: &CheckArgs) -> CliResult {
    let default = std::slice::from_ref(&context.settings.pipelines);
    if args.paths.is_empty() && !context.settings.pipelines.exists() {
        return Err(no_folder(&context.settings.pipelines));
    }
    let files = files_of(if args.paths.is_empty() { default } else { &args.paths })?;
    let loaded: Vec<(PathBuf, Loaded)> = files.into_iter().map(load).collect::<Result<_, _>>()?;
    let mut out = context.out();
    if args.json {
        print_json(&mut out, &loaded).map_err(printing)?;
    } else {
        for (file, loaded) in &loaded {
            show_faults(context, &loaded.diagnostics);
            if let Some(pipeline) = &loaded.pipeline {
                show_meaning(&mut out, file, pipeline).map_err(printing)?;
                warn_of_no_repository(context, pipeline);
            }
        }
    }
    conclude(&loaded)
}

fn conclude(loaded: &[(PathBuf, Loaded)]) -> CliResult {
    let faults: usize = loaded.iter().map(|(_, l)| errors(&l.diagnostics)).sum();
    if faults > 0 {
        let invalid = loaded.iter().filter(|(_, l)| l.pipeline.is_none()).count();
        let (faults, all) = (counted(faults, "fault"), counted(loaded.len(), "pipeline"));
        return Err(CliError::usage_text(format_args!("{faults} in {invalid} of {all}")));
    }
    match twice_named(loaded) {
        Some(error) => Err(error),
        None => Ok(Status::Green),
    }
}

/// Two files of one name would count their cycles together.
fn twice_named(loaded: &[(PathBuf, Loaded)]) -> Option<CliError> {
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    for (file, loaded) in loaded {
        let Some(pipeline) = &loaded.pipeline else { continue };
        let Some(first) = seen.insert(pipeline.name.as_str(), file) else { continue };
        if first != file {
            let (name, first, second) = (&pipeline.name, first.display(), file.display());
            let text = format!("{first} and {second} are both named {name}");
            let hint = "give one of them another `name`: cycles are numbered by it";
            return Some(CliError::usage_text(text).hint(hint));
        }
    }
    None
}

fn load(file: PathBuf) -> Result<(PathBuf, Loaded), CliError> {
    let loaded = load_file(&file)?;
    Ok((normal(&file), loaded))
}

/// The pipeline files of the paths given; of a folder those directly in it.
fn files_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_file() {
            files.push(path.clone());
            continue;
        }
        if !path.is_dir() {
            let error = no_such_file(path, &[]);
            return Err(error.hint("name pipeline files, or a folder of them"));
        }
        let mut found = yaml_files(path)
            .with_context(|| format!("cannot list {}", path.display()))
            .map_err(CliError::usage)?;
        if found.is_empty() {
            let error =
                CliError::usage_text(format_args!("there is no pipeline in {}", path.display()));
            return Err(error.hint("pipelines are the .yaml files directly in that folder"));
        }
        files.append(&mut found);
    }
    Ok(files)
}

fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
}

fn show_faults(context: &Context, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics.iter().take(MAX_SHOWN) {
        context.note(&diagnostic.render(Style::Coloured));
        context.note("");
    }
    if diagnostics.len() > MAX_SHOWN {
        context.note(&format!("… and {} more", diagnostics.len() - MAX_SHOWN));
    }
}

/// A valid pipeline that `run` would refuse: what it says then is said here.
fn warn_of_no_repository(context: &Context, pipeline: &Pipeline) {
    if let Some(warning) = no_repository(pipeline) {
        context.settings.console.say_of("warning", &warning);
    }
}

/// Where a pipeline names no repository, and the folder of its file is none. One that is named may be there
/// where the pipeline is used.
fn no_repository(pipeline: &Pipeline) -> Option<String> {
    let fault = pipeline.watch.is_none().then(|| missing_here(pipeline)).flatten()?;
    let name = &pipeline.name;
    Some(format!(
        "{name} cannot be run: {fault}; without `watch`, its repository is the folder of its file"
    ))
}

fn show_meaning(out: &mut Out, file: &Path, pipeline: &Pipeline) -> std::io::Result<()> {
    let name = bold(pipeline.name.as_str());
    out.line(format!("{name} {} {}", dim("valid"), clean(&file.display().to_string())))?;
    for (what, text) in meaning(pipeline) {
        out.line(format!("  {} {}", dim(&format!("{what:<12}")), clean(&text)))?;
    }
    Ok(())
}

/// What a pipeline means, a row a part.
fn meaning(pipeline: &Pipeline) -> Vec<(&'static str, String)> {
    let mut rows = vec![("environment", pipeline.environment.to_string())];
    if let Some(watch) = &pipeline.watch {
        let branches = if watch.branches.is_empty() {
            "the default branch".to_owned()
        } else {
            watch.branches.join(", ")
        };
        rows.push(("watches", format!("{} ({branches})", masked_logins(&watch.repo))));
    }
    if let Some(deploy) = &pipeline.deploy {
        let steps: Vec<&str> = deploy.steps.iter().map(|step| step.name.as_str()).collect();
        rows.push(("deploys", steps.join(" → ")));
    }
    rows.extend(readiness(&pipeline.ready));
    rows.extend(pipeline.suite.as_deref().map(suite));
    for schedule in &pipeline.schedules {
        let times = next_times(&schedule.cron, &schedule.timezone);
        let text = format!("{} {} ({}): {times}", schedule.name, schedule.cron, schedule.timezone);
        rows.push(("schedule", text));
    }
    let parts = pipeline::parts_not_acted_on(pipeline, RunBy::Daemon);
    rows.extend(parts.iter().map(|part| ("not yet", format!("{}: {}", part.part, part.why))));
    rows
}

fn readiness(ready: &Ready) -> Option<(&'static str, String)> {
    let surfaces: Vec<&str> = ready.surfaces.iter().map(|s| s.name.as_str()).collect();
    if surfaces.is_empty() {
        return None;
    }
    let verb = if surfaces.len() == 1 { "serves" } else { "serve" };
    let times = match ready.successes {
        1 => "once".to_owned(),
        times => format!("{times} times in a row"),
    };
    let (surfaces, timeout) = (surfaces.join(", "), millis(ready.timeout));
    Some(("ready", format!("when {surfaces} {verb} the revision, {times}, within {timeout}")))
}

fn suite(suite: &Suite) -> (&'static str, String) {
    let cases = counted(suite.cases().count(), "case");
    let also = match suite.commands.len() {
        0 => String::new(),
        commands => format!(" and {}", counted(commands, "command")),
    };
    let (name, concurrency, timeout) = (&suite.name, suite.concurrency, millis(suite.timeout));
    ("suite", format!("{name}: {cases}{also}, {concurrency} side by side, within {timeout}"))
}

fn next_times(cron: &str, zone: &str) -> String {
    let (Ok(crontab), Ok(zone)) = (Crontab::parse(cron), jiff::tz::TimeZone::get(zone)) else {
        return String::new();
    };
    let mut at = SystemClock.now();
    let mut times = Vec::new();
    while times.len() < NEXT_TIMES {
        let Some(next) = crontab.next_after(at, &zone) else { break };
        times.push(zone_time(next, &zone));
        at = next;
    }
    if times.is_empty() { "never".to_owned() } else { format!("next {}", times.join(", ")) }
}

fn zone_time(at: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let local = zone.to_datetime(at);
    jiff::fmt::strtime::format("%a %Y-%m-%d %H:%M", local).unwrap_or_else(|_| local.to_string())
}

fn print_json(out: &mut Out, loaded: &[(PathBuf, Loaded)]) -> std::io::Result<()> {
    let files: Vec<_> = loaded
        .iter()
        .map(|(file, loaded)| {
            let pipeline = loaded.pipeline.as_ref();
            json!({
                "file": file,
                "valid": pipeline.is_some(),
                "pipeline": pipeline.map(|p| p.name.as_str()),
                "environment": pipeline.map(|p| p.environment.as_str()),
                "cases": pipeline.and_then(|p| p.suite.as_ref()).map(|s| s.cases().count()),
                "warning": pipeline.and_then(no_repository),
                "not_acted_on": pipeline.map(|p| pipeline::parts_not_acted_on(p, RunBy::Daemon)),
                "diagnostics": loaded.diagnostics,
            })
        })
        .collect();
    out.json(&files)
}
