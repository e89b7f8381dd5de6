//! YAML text → a checked pipeline, or every fault of every file with its line and what to do about it.
//!
//! Sync, and without files, clock or network of its own: whoever loads a pipeline says how a path becomes bytes
//! ([`SourceFiles`]). Values of `domain::spec` are made here and nowhere else. What is written (the JSON
//! Schema of [`schema`]) and what it means (the readers) are told apart, and a test holds them together.

mod check;
pub mod crontab;
mod daemon;
mod diagnostic;
mod digest;
mod faults;
mod names;
mod read;
mod reader;
mod source;
mod suggest;
mod texts;
mod unsupported;
mod values;
mod wire;
mod yaml;

use std::path::{Path, PathBuf};

pub use daemon::{ApiToken, DaemonSettings, InboundWebhook, LogFormat, Role};
pub use diagnostic::{Diagnostic, Excerpt, Related, Severity, Style};
pub use source::{MAX_PIPELINE_BYTES, MAX_SCHEMA_BYTES, MAX_SUITE_BYTES, MemoryFiles, SourceFiles};
pub(crate) use suggest::nearest;
pub use unsupported::{RunBy, Unsupported, parts_not_acted_on};
pub use wire::{Kind, schema};

use crate::domain::spec::{CaseGroup, Pipeline};
use reader::Cx;

/// What came of loading a pipeline.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The pipeline; `None` when there is an error.
    pub pipeline: Option<Pipeline>,
    /// All faults of all files, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// What came of loading a suite file on its own.
#[derive(Debug, Clone)]
pub struct LoadedSuite {
    /// Its name and cases; `None` when there is an error.
    pub suite: Option<(Option<String>, CaseGroup)>,
    /// All faults.
    pub diagnostics: Vec<Diagnostic>,
}

/// What came of loading the daemon's settings.
#[derive(Debug, Clone)]
pub struct LoadedDaemon {
    /// The settings; `None` when there is an error.
    pub settings: Option<DaemonSettings>,
    /// All faults.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads a pipeline and every file that it includes.
///
/// Paths within it start from the folder of `path`, so an absolute `path` makes them absolute.
pub fn load(source: &dyn SourceFiles, path: &Path) -> Loaded {
    let mut cx = Cx::new(source);
    let root = cx.load_yaml(path, MAX_PIPELINE_BYTES, None);
    let pipeline = root.map(|root| read::root::pipeline(&mut cx, &root, path));
    cx.names.tell_unexplained(&mut cx.faults);
    Loaded {
        pipeline: pipeline.filter(|_| !cx.faults.has_errors()),
        files: cx.faults.paths(),
        diagnostics: cx.faults.into_diagnostics(),
    }
}

/// Loads a suite file without the pipeline that includes it: names that only a pipeline can give are taken
/// as known.
pub fn load_suite(source: &dyn SourceFiles, path: &Path) -> LoadedSuite {
    let mut cx = Cx::new(source);
    let root = cx.load_yaml(path, MAX_SUITE_BYTES, None);
    let suite = root.map(|root| read::suite::loose_file(&mut cx, &root, path.to_owned()));
    cx.names.tell_unexplained(&mut cx.faults);
    LoadedSuite {
        suite: suite.filter(|_| !cx.faults.has_errors()),
        diagnostics: cx.faults.into_diagnostics(),
    }
}

/// Loads the daemon's settings.
pub fn load_daemon(source: &dyn SourceFiles, path: &Path) -> LoadedDaemon {
    let mut cx = Cx::new(source);
    let root = cx.load_yaml(path, MAX_PIPELINE_BYTES, None);
    let settings = root.map(|root| read::daemon::daemon(&mut cx, &root));
    LoadedDaemon {
        settings: settings.filter(|_| !cx.faults.has_errors()),
        diagnostics: cx.faults.into_diagnostics(),
    }
}
