//! `whys`: investigations, listed, shown, edited, closed, and their claimed fixes.

mod fix;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::Context as _;
use serde_json::json;

use super::args::{WhysAction, WhysArgs, WhysId};
use super::context::{
    Context, led_out, load_state, printing, read_text, report_folder, write_file,
};
use super::error::{CliError, CliResult, Status};
use super::output::{Out, Table, bold, clean};
use crate::domain::findings::InvestigationState;
use crate::domain::names::InvestigationId;
use crate::engine::{Clock as _, DocumentLock, SystemClock, keep_written, known_of};
use crate::investigation::{self, Closing, Lint};
use crate::store::{InvestigationRow, Store, Which};

/// `andon whys`
pub async fn whys(context: &Context, args: &WhysArgs) -> CliResult {
    match &args.action {
        None => list(context, args.pipeline.as_deref(), args.json).await,
        Some(WhysAction::List { pipeline }) => list(context, pipeline.as_deref(), args.json).await,
        Some(WhysAction::Show(id)) => show(context, id, args.json).await,
        Some(WhysAction::Edit(id)) => edit(context, id, args.json).await,
        Some(WhysAction::Fix(claim)) => fix::fix(context, claim, args.json).await,
        Some(WhysAction::Close(id)) => close(context, id, args.json).await,
    }
}

async fn list(context: &Context, pipeline: Option<&str>, as_json: bool) -> CliResult {
    let store = context.store().await?;
    let name = pipeline.map(|given| context.pipeline_name(given)).transpose()?;
    let rows = store.list_investigations(name.as_ref()).await?;
    if let Some(name) = name.as_ref().filter(|_| rows.is_empty()) {
        context.known(store.as_ref(), name).await?;
    }
    let mut out = context.out();
    if as_json {
        out.json(&rows).map_err(printing)?;
        return Ok(Status::Green);
    }
    if rows.is_empty() {
        context.note("no investigation was ever opened: nothing failed yet");
        return Ok(Status::Green);
    }
    let mut table =
        Table::new(&["id", "state", "pipeline", "opened", "last seen", "about"]).giving_way(&[5]);
    for row in &rows {
        table.row([
            row.id.to_string(),
            row.state.to_string(),
            row.pipeline.to_string(),
            format!("cycle {}", row.opened_in),
            format!("cycle {}", row.last_seen),
            clean(&row.about()),
        ]);
    }
    table.print(&mut out).map_err(printing)?;
    Ok(Status::Green)
}

async fn show(context: &Context, id: &WhysId, as_json: bool) -> CliResult {
    let store = context.store().await?;
    let row = find(context, store.as_ref(), id).await?;
    let root = root(store.as_ref(), &row).await?;
    let path = file(&root, &row)?;
    let text = read_text(&path)?;
    let lints = investigation::lint(&investigation::parse(&text));
    let mut out = context.out();
    if as_json {
        print_json(&mut out, &row, &path, &text)?;
        return Ok(Status::Green);
    }
    for line in text.lines().filter(|line| !line.trim_start().starts_with("<!-- andon")) {
        out.line(clean(line)).map_err(printing)?;
    }
    tell_lints(context, &lints);
    Ok(Status::Green)
}

/// An investigation as it is now: the form of `show`, and of what `edit` and `close` leave behind.
fn print_json(
    out: &mut Out,
    row: &InvestigationRow,
    path: &Path,
    text: &str,
) -> Result<(), CliError> {
    let lints = investigation::lint(&investigation::parse(text));
    let lints: Vec<String> = lints.iter().map(lint_line).collect();
    let snapshot = investigation::snapshot(text, &row.file());
    let value = json!({
        "investigation": row, "path": path, "document": snapshot, "lint": lints, "text": text,
    });
    out.json(&value).map_err(printing)
}

fn tell_lints(context: &Context, lints: &[Lint]) {
    for lint in lints {
        context.note(&format!("{} {}", bold("lint:"), clean(&lint_line(lint))));
    }
}

async fn edit(context: &Context, id: &WhysId, as_json: bool) -> CliResult {
    let store = context.store().await?;
    let row = find(context, store.as_ref(), id).await?;
    let root = root(store.as_ref(), &row).await?;
    let path = file(&root, &row)?;
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| (context.host.env)(name).filter(|v| !v.is_empty()));
    let Some(editor) = editor else {
        return Err(CliError::usage_text("neither VISUAL nor EDITOR is set")
            .hint(format!("set one, or edit the file: {}", path.display())));
    };
    let before = std::fs::read(&path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(CliError::usage)?;
    let status = open_editor(&editor, &path);
    refuse_emptied(&path, &before)?;
    let status = status?;
    if !status.success() {
        let error = CliError::usage_text(format_args!("the editor `{editor}` ended with {status}"));
        return Err(error.hint(format!("set VISUAL or EDITOR, or edit {}", path.display())));
    }
    let text = put_back(context, &row, &Place { root: &root, path: &path }, &before)?;
    match context.store_for_writing().await {
        Ok(store) => keep(store.as_ref(), &row, &text).await,
        // The edit is in the file all the same.
        Err(fault) => {
            tracing::warn!(fault = %fault.error, id = %row.id, "what people wrote is not kept")
        }
    }
    if as_json {
        print_json(&mut context.out(), &row, &path, &text)?;
        return Ok(Status::Green);
    }
    tell_lints(context, &investigation::lint(&investigation::parse(&text)));
    context.note("the next report shows it beside the failure, as long as the failure lives");
    Ok(Status::Green)
}

/// Keeps what people wrote, for the day on which the file is lost.
async fn keep(store: &dyn Store, row: &InvestigationRow, text: &str) {
    keep_written(store, vec![(row.key(), text.to_owned())], SystemClock.now()).await;
}

/// A file that came back empty, or not at all, is no edit: what it held is put back.
fn refuse_emptied(path: &Path, before: &[u8]) -> Result<(), CliError> {
    let is_empty = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_whitespace);
    let is_emptied = match std::fs::read(path) {
        Ok(after) => is_empty(&after),
        Err(fault) => fault.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_emptied {
        return Ok(());
    }
    if is_empty(before) {
        let error = CliError::usage_text(format_args!("{} is empty", path.display()));
        return Err(error.hint("the next cycle that sees its failure makes it anew"));
    }
    write_file(path, |out| out.write_all(before))?;
    let text = format!("the editor left {} empty; its text was put back", path.display());
    Err(CliError::usage_text(text)
        .hint("to take words back delete those; `andon whys close` ends an investigation"))
}

/// Where a document is.
struct Place<'a> {
    root: &'a Path,
    path: &'a Path,
}

/// What an edit took of Andon's own parts is put back: without them nobody could close the document.
fn put_back(
    context: &Context,
    row: &InvestigationRow,
    place: &Place<'_>,
    before: &[u8],
) -> Result<String, CliError> {
    let before = String::from_utf8_lossy(before);
    let _lock = lock(place.root, row)?;
    let text = read_text(place.path)?;
    let known = investigation::meta_of(&before).unwrap_or_else(|| known_of(row, &[&before]));
    let Some(mended) = investigation::mend(&text, &before, &known) else { return Ok(text) };
    write_file(place.path, |out| out.write_all(mended.text.as_bytes()))?;
    let parts: Vec<String> = mended.parts.iter().map(|part| part.label()).collect();
    context.note(&format!(
        "what the edit took of Andon's own parts was put back: {}",
        parts.join(", ")
    ));
    Ok(mended.text)
}

/// An editor is a command line of the user's own ("code --wait"); the path is an argument of it.
/// Not by `process`: it is the user's terminal, with nothing to supervise or store.
#[allow(clippy::disallowed_methods)]
fn open_editor(editor: &str, path: &Path) -> Result<ExitStatus, CliError> {
    std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(path)
        .status()
        .context("cannot start the editor")
        .map_err(CliError::usage)
}

async fn close(context: &Context, id: &WhysId, as_json: bool) -> CliResult {
    let store = context.store_with_cycles().await?;
    let row = find(context, store.as_ref(), id).await?;
    let root = root(store.as_ref(), &row).await?;
    let path = file(&root, &row)?;
    if row.state == InvestigationState::Closed {
        return Err(CliError::usage_text(format_args!("{} is closed already", row.id))
            .hint("it reopens by itself when its failure comes back"));
    }
    let by = context.host.user();
    let on = jiff::tz::TimeZone::UTC.to_datetime(SystemClock.now()).date();
    let closing = Closing { by: &by, on, reason: None };
    let _lock = lock(&root, &row)?;
    let before = read_text(&path)?;
    // A file that does not say what it is was changed by hand: the records know.
    let is_whole = investigation::meta_of(&before).is_some();
    let known = known_of(&row, &[&before]);
    let mended = (!is_whole).then(|| investigation::mend(&before, &before, &known)).flatten();
    let whole = mended.map_or_else(|| before.clone(), |mended| mended.text);
    let text = match investigation::close(&whole, &closing) {
        Some(text) => {
            write_file(&path, |out| out.write_all(text.as_bytes()))?;
            text
        }
        // Whoever wrote it ended before the records knew.
        None => before,
    };
    keep(store.as_ref(), &row, &text).await;
    store
        .set_investigation_state(&row.pipeline, &row.id, InvestigationState::Closed, row.last_seen)
        .await?;
    if as_json {
        let closed = InvestigationRow { state: InvestigationState::Closed, ..row };
        print_json(&mut context.out(), &closed, &path, &text)?;
        return Ok(Status::Green);
    }
    let newest = store.find_cycle(&row.pipeline, Which::LatestAnswer).await?;
    let lives = newest.is_some_and(|newest| row.last_seen >= newest.summary.cycle);
    context.note(&match lives {
        true => format!(
            "{} is closed, although its failure is in the newest cycle: the next one that has it reopens it",
            row.id
        ),
        false => format!("{} is closed; it reopens by itself when its failure comes back", row.id),
    });
    Ok(Status::Green)
}

fn lint_line(lint: &Lint) -> String {
    format!("{}: {}", lint.place, lint.remark)
}

/// The investigation with that id, of the pipeline named or of the only one that has it.
async fn find(
    context: &Context,
    store: &dyn Store,
    wanted: &WhysId,
) -> Result<InvestigationRow, CliError> {
    let id = InvestigationId::parse(&wanted.id).ok_or_else(|| {
        CliError::usage_text(format_args!("{:?} is no investigation", wanted.id))
            .hint("an id looks like INV-0003")
    })?;
    let name = wanted.pipeline.as_deref().map(|given| context.pipeline_name(given)).transpose()?;
    let rows = store.list_investigations(name.as_ref()).await?;
    let mut matching: Vec<InvestigationRow> = rows.into_iter().filter(|row| row.id == id).collect();
    match matching.len() {
        1 => Ok(matching.remove(0)),
        0 => {
            if let Some(name) = &name {
                context.known(store, name).await?;
            }
            Err(CliError::usage_text(format_args!("there is no investigation {id}"))
                .hint("`andon whys` lists them"))
        }
        _ => {
            let names: Vec<&str> = matching.iter().map(|row| row.pipeline.as_str()).collect();
            Err(CliError::usage_text(format_args!("{id} exists in {}", names.join(" and ")))
                .hint("name the pipeline with --pipeline"))
        }
    }
}

/// The report folder of the newest cycle of its pipeline.
async fn root(store: &dyn Store, row: &InvestigationRow) -> Result<PathBuf, CliError> {
    let newest = store.find_cycle(&row.pipeline, Which::Latest).await?;
    let newest = newest.ok_or_else(|| {
        CliError::usage_text(format_args!("pipeline {} has no cycles", row.pipeline))
    })?;
    let state = load_state(store, &newest).await?;
    Ok(PathBuf::from(&state.queued.definition.report_dir))
}

/// Keeps a daemon and others from writing its file in between.
fn lock(root: &Path, row: &InvestigationRow) -> Result<DocumentLock, CliError> {
    let folder = report_folder(root)?;
    DocumentLock::take(&folder, &row.pipeline)
        .with_context(|| format!("cannot lock the investigations of {}", row.pipeline))
        .map_err(CliError::usage)
}

/// Its file.
fn file(root: &Path, row: &InvestigationRow) -> Result<PathBuf, CliError> {
    let place = Path::new(row.pipeline.as_str()).join("investigations").join(row.file());
    report_folder(root)?.check(&place).map_err(led_out)?;
    let path = root.join(place);
    if path.is_file() {
        return Ok(path);
    }
    Err(CliError::usage_text(format_args!("{} is not here", path.display()))
        .hint("run the command in the folder where the reports are, or `git restore` the file"))
}
