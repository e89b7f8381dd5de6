//! Pushes the reports of a pipeline to the branch that it names: what lies in the report folder when
//! it is the turn of this, not what lay there when the cycle ended, so one push can carry several cycles.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::numbering::cycle_of;
use super::{Clock, ReportFolder, StatePaths};
use crate::domain::errors::chain;
use crate::domain::redact::{Masker, Secret};
use crate::domain::spec::{Pipeline, PublishGit};
use crate::git::{
    Auth, ErrorKind, Keeps, LoginSecrets, Mirror, MirrorOptions, Publication, Published,
    PublishedFile, RepoUrl, UrlSource, enclosing,
};
use crate::notify::{Publish, PublishRequest, Unpublished};
use crate::suite::{HostEnv, load_secrets};

/// The trailer of our commits; the rules of `watch` pass over commits that have it.
const TRAILER: &str = "Andon-Report";
/// The deadline of one push, fetching before it included.
const PUSH_TIME: Duration = Duration::from_secs(120);

/// A longer chart or investigation is not published.
const MAX_EXTRA: u64 = 25 << 20;

/// Pushes reports.
pub struct Publisher {
    /// Where mirrors are.
    pub paths: StatePaths,
    /// The folder that report paths are relative to.
    pub working_dir: PathBuf,
    /// Variables of our own environment.
    pub host: HostEnv,
    /// Tells when.
    pub clock: Arc<dyn Clock>,
}

impl Publisher {
    /// As what a deliverer asks.
    pub fn into_publish(self) -> Publish {
        let publisher = Arc::new(self);
        Arc::new(move |asked: PublishRequest| {
            let publisher = Arc::clone(&publisher);
            Box::pin(async move {
                let PublishRequest { pipeline, report_dir, cycle } = asked;
                let done = publisher.publish(&pipeline, &report_dir, cycle).await?;
                for file in &done.kept {
                    tracing::warn!(
                        "{}: {file} was last changed by somebody else on the branch and stays as it \
                         is there",
                        pipeline.name
                    );
                }
                Ok(())
            })
        })
    }

    /// Pushes the reports of a pipeline up to that cycle, as they lie in that folder.
    ///
    /// # Errors
    /// When the repository cannot be reached or does not take them, or a file cannot be read.
    pub async fn publish(
        &self,
        pipeline: &Pipeline,
        report_dir: &str,
        cycle: u32,
    ) -> Result<Published, Unpublished> {
        let Some(target) = &pipeline.report.publish else {
            return Err(Unpublished::Never("the pipeline does not publish any more".to_owned()));
        };
        let secrets = match load_secrets(&pipeline.secrets, &self.host).await {
            Ok(loaded) => loaded.secrets,
            Err(faults) => {
                let why: Vec<String> = faults.iter().map(ToString::to_string).collect();
                return Err(Unpublished::Later(why.join("; ")));
            }
        };
        let masker = Masker::new(secrets.iter().map(|(_, secret)| secret.expose().to_owned()));
        let masked = |text: String| masker.mask(&text);
        let folder = ReportFolder::new(&self.working_dir, Path::new(report_dir));
        let found = reports_of(&folder, pipeline.name.as_str(), &target.path)
            .map_err(|fault| Unpublished::Later(masked(chain(&fault))))?;
        for file in &found.too_long {
            let most = MAX_EXTRA >> 20;
            tracing::warn!(
                "{}: {file} is longer than {most} MiB and is not published",
                pipeline.name
            );
        }
        let newest = found.newest.unwrap_or(cycle);
        let publication = publication(pipeline, target, found.files, newest, self.clock.now());
        let done = match self.mirror(pipeline, target, &secrets).await {
            Ok(mirror) => mirror.publish(publication, PUSH_TIME).await,
            Err(fault) => Err(fault),
        };
        done.map_err(|fault| {
            let text = masked(format!("{} ({})", chain(&fault), fault.hint_for_publishing()));
            match fault.kind() {
                ErrorKind::Invalid => Unpublished::Never(text),
                ErrorKind::Auth | ErrorKind::Moved | ErrorKind::NotFound => {
                    Unpublished::Refused(text)
                }
                ErrorKind::Ambiguous
                | ErrorKind::Network
                | ErrorKind::Timeout
                | ErrorKind::TooLarge
                | ErrorKind::Corrupt
                | ErrorKind::Io
                | ErrorKind::Internal => Unpublished::Later(text),
            }
        })
    }

    /// The repository that reports go to. The watched repository's login is used there, and for
    /// nothing else; any other is opened with what this machine has.
    async fn mirror(
        &self,
        pipeline: &Pipeline,
        target: &PublishGit,
        secrets: &[(String, Secret)],
    ) -> Result<Mirror, crate::git::Error> {
        let base = pipeline.file.parent().unwrap_or(Path::new(""));
        let url = enclosing(RepoUrl::parse(&target.repo, UrlSource::Operator { base })?);
        let watched = RepoUrl::of_pipeline(pipeline).map(enclosing);
        let is_watched = watched.is_ok_and(|watched| watched == url);
        let spec = pipeline.watch.as_ref().and_then(|watch| watch.auth.as_ref());
        let login = LoginSecrets { secrets, host: &*self.host };
        let auth = Auth::from_spec(spec.filter(|_| is_watched), login);
        Mirror::open(&self.paths.mirrors(), url, auth, MirrorOptions::default()).await
    }
}

fn publication(
    pipeline: &Pipeline,
    target: &PublishGit,
    files: Vec<PublishedFile>,
    cycle: u32,
    at: Timestamp,
) -> Publication {
    let name = &pipeline.name;
    Publication {
        branch: target.branch.clone(),
        files,
        subject: format!("Reports of {name} up to cycle {cycle}"),
        trailer: (TRAILER, format!("{name} {cycle}")),
        at,
    }
}

/// What of a report folder is to be published.
#[derive(Debug, Default)]
struct Found {
    files: Vec<PublishedFile>,
    /// The newest cycle among them.
    newest: Option<u32>,
    /// What would be, if it were shorter.
    too_long: Vec<String>,
}

/// The files of a pipeline in the report folder, and the page that lists all pipelines.
fn reports_of(folder: &ReportFolder, name: &str, inside: &str) -> io::Result<Found> {
    let inside = inside.trim_start_matches("./").trim_matches('/');
    let prefix = if matches!(inside, "" | ".") { String::new() } else { format!("{inside}/") };
    let mut found = Found::default();
    let mut cycles = BTreeSet::new();
    let charts = format!("{name}/charts");
    let investigations = format!("{name}/investigations");
    for place in [name, &charts, &investigations] {
        folder.check(place).map_err(io::Error::other)?;
        for file in names_in(&folder.path_of(place))? {
            let keeps = if place == name {
                cycles.extend(cycle_of(&file));
                is_report(&file)
            } else if place == charts {
                is_chart(&file, &cycles)
            } else {
                file.ends_with(".md").then_some(Keeps::Edits)
            };
            let Some(keeps) = keeps else { continue };
            let relative = format!("{place}/{file}");
            let source = folder.path_of(&relative);
            if place != name && fs::symlink_metadata(&source)?.len() > MAX_EXTRA {
                found.too_long.push(relative);
                continue;
            }
            found.files.push(PublishedFile { path: format!("{prefix}{relative}"), source, keeps });
        }
    }
    let index = folder.path_of("README.md");
    if index.is_file() {
        let path = format!("{prefix}README.md");
        found.files.push(PublishedFile { path, source: index, keeps: Keeps::Edits });
    }
    found.newest = cycles.last().copied();
    Ok(found)
}

/// What a file in the folder of a pipeline is; `None` for what is not ours.
fn is_report(file: &str) -> Option<Keeps> {
    if file == "README.md" {
        return Some(Keeps::Edits);
    }
    cycle_of(file).map(|_| Keeps::AsItIs)
}

/// A chart of one of these cycles; `None` for any other drawing.
fn is_chart(file: &str, cycles: &BTreeSet<u32>) -> Option<Keeps> {
    let cycle = file.strip_prefix("trend-")?.strip_suffix(".svg")?.parse().ok()?;
    cycles.contains(&cycle).then_some(Keeps::AsItIs)
}

/// The plain files of a folder, sorted; none when it is not there.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_andon_writes_is_published() {
        let root = tempfile::tempdir().unwrap();
        let folder = ReportFolder::new(root.path(), Path::new("reports"));
        for file in [
            "README.md",
            "notes.md",
            "chat/README.md",
            "chat/cycle-0001.md",
            "chat/cycle-0001.junit.xml",
            "chat/cycle-0001.json",
            "chat/draft.md",
            "chat/.cycle-0002.md.tmp",
            "chat/charts/trend-0001.svg",
            "chat/charts/x.html",
            "chat/charts/trend-0009.svg",
            "chat/charts/logo.svg",
            "chat/cycle-notes.md",
            "chat/investigations/INV-0001-x.md",
            "other/cycle-0001.md",
        ] {
            folder.write(file, b"x").unwrap();
        }
        let long = folder.path_of("chat/investigations/INV-0002-long.md");
        fs::File::create(long).unwrap().set_len(MAX_EXTRA + 1).unwrap();
        let link = root.path().join("reports/chat/cycle-0009.md");
        std::os::unix::fs::symlink("/etc/hostname", link).unwrap();
        let reports = reports_of(&folder, "chat", "./docs/reports/").unwrap();
        assert_eq!(reports.too_long, ["chat/investigations/INV-0002-long.md"]);
        assert_eq!(reports.newest, Some(1));
        let found: Vec<(&str, Keeps)> =
            reports.files.iter().map(|file| (file.path.as_str(), file.keeps)).collect();
        let expected = [
            ("docs/reports/chat/README.md", Keeps::Edits),
            ("docs/reports/chat/cycle-0001.json", Keeps::AsItIs),
            ("docs/reports/chat/cycle-0001.junit.xml", Keeps::AsItIs),
            ("docs/reports/chat/cycle-0001.md", Keeps::AsItIs),
            ("docs/reports/chat/charts/trend-0001.svg", Keeps::AsItIs),
            ("docs/reports/chat/investigations/INV-0001-x.md", Keeps::Edits),
            ("docs/reports/README.md", Keeps::Edits),
        ];
        assert_eq!(found, expected);
        assert_eq!(reports_of(&folder, "chat", ".").unwrap().files[0].path, "chat/README.md");
        let other = reports_of(&folder, "no-such", "r").unwrap();
        assert_eq!((other.files.len(), other.newest), (1, None), "the list of all");
    }
}
