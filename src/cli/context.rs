//! What every command works with: the settings, the store, pipelines and cycles by name, the host.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::error::CliError;
use super::output::Out;
use super::settings::{Settings, sqlite_path};
use super::suggest;
use crate::daemon::yaml_files;
use crate::domain::names::PipelineName;
use crate::domain::paths::normal;
use crate::domain::spec::Pipeline;
use crate::domain::state::CycleState;
use crate::engine::{self, LeadsOut, ReportFolder, StatePaths, write_atomically_with};
use crate::pipeline::{self, Loaded, Style};
use crate::store::sqlite::{Mode, SqliteStore};
use crate::store::{CycleRow, Store, StoreError, Which};
use crate::upkeep::Ballast;

pub use crate::suite::HostEnv;

/// The machine and the process around a command, as `app` sees them.
#[derive(Clone)]
pub struct Host {
    /// Variables of our own environment.
    pub env: HostEnv,
    /// The program that becomes a supervisor, or the demo's service.
    pub program: PathBuf,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Columns of the terminal that standard output is; `None` when it is none.
    pub columns: Option<usize>,
    /// Fires when a signal asks us to end.
    pub cancel: tokio_util::sync::CancellationToken,
    /// Rings when a signal asks a daemon to read its files again; one that came before anybody
    /// listened is kept.
    pub hangup: Arc<tokio::sync::Notify>,
}

impl Host {
    /// Who sits here, as far as the environment says.
    pub fn user(&self) -> String {
        let named = (self.env)("USER").filter(|name| !name.is_empty());
        named.unwrap_or_else(|| "somebody at the command line".to_owned())
    }
}

/// What becomes of the bytes that are held ready for a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reserve {
    /// They are for cycles that run.
    Kept,
    /// They may go.
    GivenUp,
}

/// What every command works with.
pub struct Context {
    /// The global options, as meant.
    pub settings: Settings,
    /// The host.
    pub host: Host,
}

impl Context {
    /// Standard output.
    pub fn out(&self) -> Out {
        Out::new(self.settings.color, self.host.columns)
    }

    /// Says something to people, on standard error.
    pub fn note(&self, text: &str) {
        self.settings.console.say(text);
    }

    /// The state folder.
    pub fn paths(&self) -> StatePaths {
        StatePaths::new(self.settings.state.clone())
    }

    fn database(&self) -> Result<PathBuf, CliError> {
        let Some(url) = &self.settings.database else {
            return Ok(self.settings.state.join("andon.db"));
        };
        match url.strip_prefix("sqlite:").map(sqlite_path) {
            Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
            Some(_) | None => {
                Err(CliError::usage_text("this version keeps its records in SQLite alone")
                    .hint("give `--database sqlite:FILE`, or leave it out"))
            }
        }
    }

    /// Opens the store for reading; nothing is created.
    pub async fn store(&self) -> Result<Arc<dyn Store>, CliError> {
        self.open(Mode::ReadOnly, Reserve::Kept).await
    }

    /// Opens the store for writing; it is created when missing.
    pub async fn store_for_writing(&self) -> Result<Arc<dyn Store>, CliError> {
        self.open(Mode::ReadWrite, Reserve::Kept).await
    }

    /// Opens a store for writing that must be there already.
    pub async fn store_with_cycles(&self) -> Result<Arc<dyn Store>, CliError> {
        self.must_be_there()?;
        self.store_for_writing().await
    }

    /// Opens the store for a command that is of use on a full disk, at the cost of what is held ready
    /// for one. To be written to it is created when missing.
    pub async fn store_on_full_disk(&self, mode: Mode) -> Result<Arc<dyn Store>, CliError> {
        self.open(mode, Reserve::GivenUp).await
    }

    /// Whether there is a store.
    pub fn must_be_there(&self) -> Result<(), CliError> {
        let path = self.database()?;
        if path.try_exists().is_ok_and(|exists| !exists) {
            return Err(StoreError::Missing { path }.into());
        }
        Ok(())
    }

    /// Gives up what is held ready for a full disk. Answers whether that made room.
    pub fn give_up_ballast(&self) -> bool {
        match Ballast::give_up(&self.settings.state) {
            Ok(true) => {
                tracing::warn!(
                    "the ballast is given up; a daemon takes it again once there is room"
                );
                true
            }
            Ok(false) => false,
            Err(fault) => {
                tracing::warn!("the ballast cannot be given up: {fault}");
                false
            }
        }
    }

    async fn open(&self, mode: Mode, reserve: Reserve) -> Result<Arc<dyn Store>, CliError> {
        let path = self.database()?;
        if path.to_str().is_none() {
            let text = format!("the database cannot lie in {}", path.display());
            let error = CliError::usage_text(format_args!("{text}: the path is not valid UTF-8"));
            return Err(error.hint("name a folder of another name with `--state DIR`"));
        }
        let mut opened = SqliteStore::open(&path, mode).await;
        if matches!((&opened, reserve), (Err(StoreError::Full), Reserve::GivenUp))
            && self.give_up_ballast()
        {
            opened = SqliteStore::open(&path, mode).await;
        }
        match opened {
            Ok(store) => Ok(Arc::new(store)),
            Err(fault @ StoreError::Full) => {
                let mut error = CliError::from(fault);
                let what = format!("cannot open the database {}", path.display());
                error.error = error.error.context(what);
                Err(error)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Loads and checks a pipeline that is given by file or by name; its faults are told, all of
    /// them.
    pub fn load(&self, given: &Path) -> Result<Pipeline, CliError> {
        let file = self.pipeline_file(given)?;
        let loaded = load_file(&file)?;
        for diagnostic in &loaded.diagnostics {
            self.note(&diagnostic.render(Style::Coloured));
            self.note("");
        }
        loaded.pipeline.ok_or_else(|| {
            CliError::usage_text(format_args!("{} is not a valid pipeline", file.display()))
                .hint("correct what is marked above; `andon schema pipeline` is for your editor")
        })
    }

    /// The file of a pipeline that is given by file or by name.
    pub fn pipeline_file(&self, given: &Path) -> Result<PathBuf, CliError> {
        if given.is_dir() {
            let text = format!("{} is a folder, not a pipeline", given.display());
            return Err(CliError::usage_text(text).hint("name one of the files in it"));
        }
        if given.is_file() {
            return Ok(given.to_owned());
        }
        let folder = &self.settings.pipelines;
        let Some(name) = given.to_str().filter(|given| !is_path(given)) else {
            let folder = given.parent().unwrap_or(Path::new(""));
            return Err(no_such_file(given, &stems(&pipeline_files(folder))));
        };
        let files = pipeline_files(folder);
        let has_stem = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem == name);
        let found =
            files.iter().find(has_stem).or_else(|| files.iter().find(|f| is_named(f, name)));
        found.cloned().ok_or_else(|| no_such_pipeline(name, folder, &stems(&files)))
    }

    /// The name of a pipeline that is given by name or by file.
    pub fn pipeline_name(&self, given: &str) -> Result<PipelineName, CliError> {
        if is_path(given) {
            return Ok(self.load(Path::new(given))?.name);
        }
        PipelineName::parse(given).map_err(CliError::usage)
    }

    /// One cycle of a pipeline: the one with that number, else the newest finished.
    pub async fn cycle(
        &self,
        store: &dyn Store,
        name: &PipelineName,
        number: Option<u32>,
    ) -> Result<CycleRow, CliError> {
        let which = number.map_or(Which::LatestFinished, Which::Number);
        if let Some(row) = store.find_cycle(name, which).await? {
            return Ok(row);
        }
        let known = self.known(store, name).await?;
        let error = match number {
            Some(number) => {
                CliError::usage_text(format_args!("pipeline {name} has no cycle {number}"))
                    .hint(format!("its newest is cycle {known}; `andon cycles {name}` lists them"))
            }
            None => CliError::usage_text(format_args!("pipeline {name} has no finished cycle yet"))
                .hint(format!("`andon cycles {name}` shows what it is doing")),
        };
        Err(error)
    }

    /// How many cycles a pipeline had; an error for one that never had any.
    pub async fn known(&self, store: &dyn Store, name: &PipelineName) -> Result<u32, CliError> {
        let pipelines = store.list_pipelines().await?;
        if let Some(row) = pipelines.iter().find(|row| row.pipeline == *name) {
            return Ok(row.cycles);
        }
        let names: Vec<&str> = pipelines.iter().map(|row| row.pipeline.as_str()).collect();
        let error = CliError::usage_text(format_args!("pipeline {name} has no cycles"));
        Err(match suggest::question(name.as_str(), &names) {
            Some(question) => error.hint(question),
            None if names.is_empty() => {
                error.hint("nothing has run here yet: `andon run PIPELINE`")
            }
            None => error.hint(format!("pipelines with cycles: {}", names.join(", "))),
        })
    }
}

/// The folder that a cycle's reports are in, seen from here.
pub fn report_folder(named: &Path) -> Result<ReportFolder, CliError> {
    let here = std::env::current_dir().map_err(CliError::usage)?;
    Ok(ReportFolder::new(&here, named))
}

/// A link that would have us write elsewhere.
pub fn led_out(fault: LeadsOut) -> CliError {
    CliError::usage(fault)
        .hint("make it a folder of its own, or run Andon where the reports shall be")
}

/// The state of a cycle: its events, folded.
pub async fn load_state(store: &dyn Store, row: &CycleRow) -> Result<CycleState, CliError> {
    Ok(engine::load_state(store, &row.key()).await?)
}

/// Loads a pipeline file.
pub fn load_file(file: &Path) -> Result<Loaded, CliError> {
    Ok(pipeline::load(&read_file, &place_of(file)?))
}

/// The one name that a place has, however it was typed.
pub fn place_of(file: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(file).map(|absolute| normal(&absolute)).map_err(CliError::usage)
}

/// Whether a pipeline is given by its file.
pub fn is_path(given: &str) -> bool {
    let extension = Path::new(given).extension();
    extension.is_some_and(|e| e == "yaml" || e == "yml") || given.contains('/')
}

fn is_named(file: &Path, name: &str) -> bool {
    let Ok(loaded) = load_file(file) else { return false };
    loaded.pipeline.is_some_and(|pipeline| pipeline.name.as_str() == name)
}

/// The pipeline files directly in a folder, by name; none when it cannot be read.
fn pipeline_files(folder: &Path) -> Vec<PathBuf> {
    yaml_files(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        .unwrap_or_default()
}

fn stems(files: &[PathBuf]) -> Vec<String> {
    files.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect()
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// A pipeline that was named and is not there; the hint depends on what is.
fn no_such_pipeline(name: &str, folder: &Path, stems: &[String]) -> CliError {
    if !folder.is_dir() {
        return no_folder(folder);
    }
    let text = format!("there is no pipeline {name} in {}", folder.display());
    let hint = match suggest::question(name, &borrowed(stems)) {
        Some(question) => question,
        None if stems.is_empty() => "there is no .yaml file in that folder".to_owned(),
        None => format!("there is {}; or give the path of a file", stems.join(", ")),
    };
    CliError::usage_text(text).hint(hint)
}

/// The folder of the pipelines is not there: most likely this is not the place.
pub fn no_folder(folder: &Path) -> CliError {
    CliError::usage_text(format_args!("there is no folder {} here", folder.display()))
        .hint("go where your pipelines are, or give the path of a file")
}

/// A file that was named and is not there.
pub fn no_such_file(file: &Path, beside: &[String]) -> CliError {
    if let Some(kind) = std::fs::metadata(file).ok().as_ref().and_then(special) {
        let text = format!("{} is {kind}, not a file", file.display());
        return CliError::usage_text(text);
    }
    let error = CliError::usage_text(format_args!("there is no file {}", file.display()));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    match suggest::question(&stem, &borrowed(beside)) {
        Some(question) => error.hint(question),
        None => error,
    }
}

/// What something is that is neither a file nor a folder.
pub fn special(found: &std::fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = found.file_type();
    if kind.is_file() || kind.is_dir() {
        None
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// Reads a file, and no more of it than shows that it is too large.
pub fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    // Looked at first: to open a pipe waits until somebody writes into it.
    if let Some(kind) = special(&std::fs::metadata(path)?) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is {kind}, not a file"),
        ));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An error of our own output: a full disk, most likely.
pub fn printing(fault: io::Error) -> CliError {
    CliError::usage(anyhow::Error::from(fault).context("cannot write to standard output"))
}

/// Reads a text file of the user's.
pub fn read_text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(CliError::usage)
}

/// Writes a file of the user's, whole or not at all.
pub fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), CliError> {
    write_atomically_with(path, write)
        .with_context(|| format!("cannot write {}", path.display()))
        .map_err(CliError::usage)
}
