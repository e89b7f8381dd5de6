//! `report`: print a report, write all again from the records, or recount one.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::ReportArgs;
use super::context::{Context, led_out, load_state, printing, report_folder, write_file};
use super::error::{CliError, CliResult, Status};
use super::output::{clean, counted};
use crate::domain::state::CycleState;
use crate::engine::indexes;
use crate::report::terminal::Look;
use crate::report::verify::Contradiction;
use crate::report::view::View;
use crate::report::{self, CycleJson};
use crate::store::{CycleRow, Store};

/// Longer lines are hard to read.
const MAX_COLUMNS: usize = 100;

/// `andon report`
pub async fn report(context: &Context, args: &ReportArgs) -> CliResult {
    let store = context.store().await?;
    if args.rebuild {
        return rebuild(context, store.as_ref(), args).await;
    }
    let name = context.pipeline_name(&args.pipeline)?;
    let row = context.cycle(store.as_ref(), &name, args.cycle).await?;
    let state = load(store.as_ref(), &row).await?;
    if args.verify {
        return verify(context, args, &state);
    }
    let mut out = context.out();
    if args.json {
        out.json(&CycleJson::of(&state)).map_err(printing)?;
    } else if let Some(columns) = context.host.columns {
        // The stream takes colours out again where they do not belong.
        let look = Look { width: columns.min(MAX_COLUMNS), color: true };
        let text = report::terminal::render(&report::markdown::render(&state), look);
        out.raw(text.as_bytes()).map_err(printing)?;
    } else {
        out.raw(report::markdown::render(&state).as_bytes()).map_err(printing)?;
    }
    Ok(Status::Green)
}

async fn load(store: &dyn Store, row: &CycleRow) -> Result<CycleState, CliError> {
    let state = load_state(store, row).await?;
    if state.findings.is_none() {
        return Err(CliError::usage_text(format_args!("{} has no verdict yet", row.key()))
            .hint("a report is made once the verdict is decided"));
    }
    Ok(state)
}

/// The folder of a cycle's reports, relative to the working directory as its pipeline says.
fn folder(state: &CycleState) -> PathBuf {
    Path::new(&state.queued.definition.report_dir).join(state.queued.pipeline.as_str())
}

/// Writes one cycle's files again, or those of all.
async fn rebuild(context: &Context, store: &dyn Store, args: &ReportArgs) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let rows = match args.cycle {
        Some(_) => vec![context.cycle(store, &name, args.cycle).await?],
        None => {
            context.known(store, &name).await?;
            store.list_cycles(&name, u32::MAX).await?
        }
    };
    let (mut same, mut written) = (0_usize, 0_usize);
    // Of several, those whose records expired are passed over; one that was named is an error.
    let expired = match args.cycle {
        Some(_) => 0,
        None => rows.iter().filter(|row| row.expired_at.is_some()).count(),
    };
    let may_be_read = |row: &&CycleRow| expired == 0 || row.expired_at.is_none();
    for row in rows.iter().filter(may_be_read).filter(|row| row.summary.verdict.is_some()) {
        let state = load(store, row).await?;
        let view = View::of(&state);
        for draft in report::drafts(&view) {
            let path = Path::new(name.as_str()).join(&draft.path);
            match put(&state, &path, |out| draft.write_to(out))? {
                true => written += 1,
                false => same += 1,
            }
        }
    }
    // The indexes stand beside the newest report, as if its cycle had just ended.
    if let Some(newest) = rows.iter().max_by_key(|row| row.summary.cycle) {
        let state = load_state(store, newest).await?;
        for file in indexes(store, &name).await? {
            match put(&state, Path::new(&file.path), |out| out.write_all(&file.bytes))? {
                true => written += 1,
                false => same += 1,
            }
        }
    }
    let mut out = context.out();
    if expired > 0 {
        context.note(&format!(
            "the records of {} expired: reports left as they are",
            counted(expired, "cycle")
        ));
    }
    if args.json {
        let counts = json!({ "unchanged": same, "written": written, "expired": expired });
        out.json(&counts).map_err(printing)?;
    } else {
        let same = counted(same, "file");
        out.line(format!("{same} as they should be, {written} written anew")).map_err(printing)?;
    }
    Ok(Status::Green)
}

/// Writes a file of the reports unless it has these very bytes; answers whether it did.
fn put(
    state: &CycleState,
    relative: &Path,
    write: impl Fn(&mut dyn Write) -> io::Result<()>,
) -> Result<bool, CliError> {
    let root = Path::new(&state.queued.definition.report_dir);
    let within = relative.parent().unwrap_or(Path::new(""));
    report_folder(root)?.check(within).map_err(led_out)?;
    let path = root.join(relative);
    if matches!(compare(&path, &write), Found::Same) {
        return Ok(false);
    }
    write_file(&path, write)?;
    Ok(true)
}

/// What a file on disk is, compared with what it should be.
enum Found {
    Same,
    Other,
    Unreadable(io::Error),
}

fn compare(path: &Path, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> Found {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) => return Found::Unreadable(fault),
    };
    let mut expected = Expected { file: BufReader::with_capacity(COMPARED, file), fault: None };
    let written = {
        let mut buffered = BufWriter::with_capacity(COMPARED, &mut expected);
        write(&mut buffered).and_then(|()| buffered.flush())
    };
    match (written, expected.fault.take()) {
        (_, Some(fault)) => Found::Unreadable(fault),
        (Err(_), None) => Found::Other,
        (Ok(()), None) => match expected.file.fill_buf() {
            Ok([]) => Found::Same,
            Ok(_) => Found::Other,
            Err(fault) => Found::Unreadable(fault),
        },
    }
}

/// So many bytes are compared at once.
const COMPARED: usize = 64 * 1024;

/// Takes what should be in a file, and refuses it where the file has something else.
struct Expected {
    file: BufReader<File>,
    fault: Option<io::Error>,
}

impl Write for Expected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let found = match self.file.fill_buf() {
            Ok(found) => found,
            Err(fault) => {
                self.fault = Some(fault);
                return Err(io::Error::other("the file cannot be read"));
            }
        };
        let count = found.len().min(bytes.len());
        if found[..count] != bytes[..count] || (count == 0 && !bytes.is_empty()) {
            return Err(io::Error::other("the file has something else"));
        }
        self.file.consume(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Recounts the files on disk, and compares them with the records.
fn verify(context: &Context, args: &ReportArgs, state: &CycleState) -> CliResult {
    let folder = folder(state);
    let stem = format!("cycle-{:04}", state.queued.cycle);
    let mut contradictions = recount(&folder, &stem);
    let view = View::of(state);
    for draft in report::drafts(&view) {
        let path = folder.join(&draft.path);
        match compare(&path, |out| draft.write_to(out)) {
            Found::Same => {}
            Found::Other => {
                contradictions.push(format!("{} is not what the records say", path.display()));
            }
            Found::Unreadable(fault) => {
                contradictions.push(format!("{} cannot be read: {fault}", path.display()));
            }
        }
    }
    let mut out = context.out();
    if args.json {
        out.json(&json!({ "contradictions": contradictions })).map_err(printing)?;
    } else if contradictions.is_empty() {
        out.line(format!("{stem}: every figure was recounted and holds")).map_err(printing)?;
    } else {
        for contradiction in &contradictions {
            out.line(clean(contradiction)).map_err(printing)?;
        }
    }
    if contradictions.is_empty() {
        return Ok(Status::Green);
    }
    let (name, cycle) = (&state.queued.pipeline, state.queued.cycle);
    context.note(&format!(
        "help: `andon report {name} {cycle} --rebuild` writes the files again from the records"
    ));
    Ok(Status::NotGreen)
}

/// What is wrong within the JSON, and between it and the Markdown.
fn recount(folder: &Path, stem: &str) -> Vec<String> {
    let read = |ending: &str| std::fs::read_to_string(folder.join(format!("{stem}.{ending}")));
    // A file that cannot be read is told of where it is compared with the records.
    let (Ok(json), Ok(markdown)) = (read("json"), read("md")) else { return vec![] };
    let json: CycleJson<'_> = match serde_json::from_str(&json) {
        Ok(json) => json,
        Err(fault) => return vec![format!("{stem}.json is not the form of a cycle: {fault}")],
    };
    let found = report::verify::verify(&json, Some(&markdown));
    found.iter().map(|Contradiction { place, what }| format!("{place}: {what}")).collect()
}
