//! The global options as they are meant: flags, then `ANDON_*` variables, then the settings file,
//! then what holds when nothing is said.

use std::path::{Path, PathBuf};

use super::args::{ColorWhen, Global, LogFormat};
use super::console::Console;
use super::context::{place_of, read_file};
use super::error::CliError;
use crate::pipeline::{self, DaemonSettings, Style};

/// The settings file that is read where there is one.
const DEFAULT_FILE: &str = "andon.yaml";

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Results and errors.
    Quiet,
    /// What happens.
    Normal,
    /// Every attempt, and the log.
    Verbose,
    /// Everything.
    Debug,
}

/// The global options as they are meant.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The state folder, absolute.
    pub state: PathBuf,
    /// The database as `sqlite:FILE`; `None`: the one in the state folder.
    pub database: Option<String>,
    /// The folder with the pipelines.
    pub pipelines: PathBuf,
    /// Where reports go that their pipeline sends nowhere else.
    pub reports: PathBuf,
    /// What the settings file says, for the daemon.
    pub daemon: DaemonSettings,
    /// The settings file that was read.
    pub file: Option<PathBuf>,
    /// How much is said.
    pub detail: Detail,
    /// Colours on standard output.
    pub color: ColorWhen,
    /// The form of the log.
    pub log_format: LogFormat,
    /// The voice on standard error.
    pub console: Console,
}

impl Settings {
    /// What the options mean without a settings file.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn without_file(global: &Global) -> Result<Self, CliError> {
        Self::merge(global, DaemonSettings::default(), None)
    }

    /// What the options and the settings file mean together.
    ///
    /// # Errors
    /// When the file named is not there, or not valid: its faults are told.
    pub fn with_file(global: &Global) -> Result<Self, CliError> {
        let file = match &global.config {
            Some(named) => named.clone(),
            None if Path::new(DEFAULT_FILE).is_file() => DEFAULT_FILE.into(),
            None => return Self::without_file(global),
        };
        let mut settings = read(first_console(global), &file)?;
        if let Some(database) = &settings.database {
            settings.database = Some(beside(&file, database));
        }
        Self::merge(global, settings, Some(file))
    }

    fn merge(
        global: &Global,
        file: DaemonSettings,
        path: Option<PathBuf>,
    ) -> Result<Self, CliError> {
        let log_format = global.log_format.or_else(|| file.log_format.map(format_of));
        let log_format = log_format.unwrap_or(LogFormat::Text);
        let state = global.state.clone().or_else(|| file.state.clone());
        let reports = file.reports.as_deref().map(relative_to_here);
        Ok(Self {
            state: std::path::absolute(state.unwrap_or_else(|| ".andon".into()))
                .map_err(CliError::usage)?,
            database: global.database.clone().or_else(|| file.database.clone()),
            pipelines: file
                .pipelines
                .as_deref()
                .map_or_else(|| "pipelines".into(), relative_to_here),
            reports: reports.unwrap_or_else(|| "reports".into()),
            daemon: file,
            file: path,
            detail: detail_of(global),
            color: global.color,
            log_format,
            console: Console::new(global, log_format),
        })
    }
}

/// What the options alone say about standard error: for errors that come before all else.
pub fn first_console(global: &Global) -> Console {
    Console::new(global, global.log_format.unwrap_or(LogFormat::Text))
}

/// Reads a settings file; its faults are told.
pub fn read(console: Console, file: &Path) -> Result<DaemonSettings, CliError> {
    let loaded = pipeline::load_daemon(&read_file, &place_of(file)?);
    for diagnostic in &loaded.diagnostics {
        console.say(&diagnostic.render(Style::Coloured));
    }
    loaded.settings.ok_or_else(|| {
        CliError::usage_text(format_args!("the settings in {} are not valid", file.display()))
            .hint("`andon schema daemon` prints what may stand there")
    })
}

fn detail_of(global: &Global) -> Detail {
    match (global.quiet, global.verbose) {
        (true, _) => Detail::Quiet,
        (false, 0) => Detail::Normal,
        (false, 1) => Detail::Verbose,
        (false, _) => Detail::Debug,
    }
}

fn format_of(format: pipeline::LogFormat) -> LogFormat {
    match format {
        pipeline::LogFormat::Text => LogFormat::Text,
        pipeline::LogFormat::Json => LogFormat::Json,
    }
}

/// A path of the settings file as a person in the working directory would write it.
fn relative_to_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// A relative database file stands beside the settings that name it.
fn beside(file: &Path, database: &str) -> String {
    let Some(path) = database.strip_prefix("sqlite:") else { return database.to_owned() };
    let folder = file.parent().unwrap_or(Path::new(""));
    format!("sqlite:{}", folder.join(sqlite_path(path)).display())
}

/// The path in what follows `sqlite:`, with or without the slashes of an address.
pub fn sqlite_path(rest: &str) -> &str {
    rest.strip_prefix("//").unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_beside_the_settings_is_found_from_anywhere() {
        let beside = |url| beside(Path::new("/etc/andon.yaml"), url);
        assert_eq!(beside("sqlite://state.db"), "sqlite:/etc/state.db");
        assert_eq!(beside("sqlite:///var/state.db"), "sqlite:/var/state.db");
        assert_eq!(beside("postgres://host/db"), "postgres://host/db");
    }
}
