//! Checkout: which commit, and its files in a folder of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{World, phase_ended};
use crate::domain::errors::chain;
use crate::domain::event::{Event, RevisionResolved};
use crate::domain::glob::Glob;
use crate::domain::names::PipelineName;
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::revision::{Revision, Sha};
use crate::engine::{EngineError, Journal, StatePaths};
use crate::git::{
    self, Auth, CheckoutLimits, LoginSecrets, Mirror, MirrorOptions, RepoUrl, RevisionSpec,
};
use crate::notify;
use crate::readiness;
use crate::store::{Projection, Which};
use crate::suite::Facts;

/// The deadline of one fetch.
const FETCH_TIME: Duration = Duration::from_secs(600);

/// So many entries that were left out are named where the phase is told.
const NAMED: usize = 3;

/// What a revision that was asked for turned out to be.
#[derive(Debug)]
pub enum Resolved {
    /// A commit.
    Commit(Revision),
    /// Whoever asked named something that is not there, or more than one thing.
    Refused(Arc<git::Error>),
    /// The repository could not be read; the cycle will say so.
    Unreadable(Arc<git::Error>),
}

/// Files of a commit in a folder of their own.
pub(super) struct LaidOut {
    /// The folder, relative to the state folder.
    pub(super) checkout: String,
    /// Entries that were left out, each with the reason.
    pub(super) left_out: Vec<String>,
}

impl World {
    /// Finds out before a cycle exists whether the revision asked for is one.
    pub async fn resolve(&self, requested: Option<&str>) -> Resolved {
        match self.find_revision(requested).await {
            Ok(revision) => Resolved::Commit(revision),
            Err(fault) => match fault.kind() {
                git::ErrorKind::Invalid | git::ErrorKind::Ambiguous | git::ErrorKind::NotFound => {
                    Resolved::Refused(fault)
                }
                git::ErrorKind::Auth
                | git::ErrorKind::Moved
                | git::ErrorKind::Network
                | git::ErrorKind::Timeout
                | git::ErrorKind::TooLarge
                | git::ErrorKind::Corrupt
                | git::ErrorKind::Io
                | git::ErrorKind::Internal => Resolved::Unreadable(fault),
            },
        }
    }

    pub(super) async fn check_out(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let queued = &journal.state().queued;
        let (requested, deploys) = (queued.requested.clone(), queued.options.deploy);
        let served = if deploys || requested.is_some() { None } else { self.served(journal).await };
        let found = match served {
            Some(revision) => Ok(revision),
            None => self.find_revision(requested.as_deref()).await,
        };
        let found = match found {
            Ok(revision) => Ok(of_its_branch(journal, revision).await?),
            Err(fault) => Err(fault),
        };
        let laid_out = match found {
            Ok(revision) => self.lay_out_if_needed(journal, revision).await,
            Err(fault) => Err(fault),
        };
        let mut told = Projection::default();
        let events = match laid_out {
            Ok(resolved) => {
                let sha = &resolved.revision.sha;
                told.messages = notify::started(self.pipeline(), queued, sha);
                let detail = left_out(&resolved.left_out);
                let ended = phase_ended(journal, Phase::Checkout, PhaseOutcome::Passed, detail);
                vec![Event::RevisionResolved(resolved), ended]
            }
            Err(fault) => {
                let detail = self.masker.mask(&chain(fault.as_ref()));
                vec![phase_ended(journal, Phase::Checkout, PhaseOutcome::Failed, Some(detail))]
            }
        };
        journal.note_with(events, told)
    }

    async fn lay_out_if_needed(
        &self,
        journal: &Journal,
        revision: Revision,
    ) -> Result<RevisionResolved, Arc<git::Error>> {
        let queued = &journal.state().queued;
        let deploys = queued.options.deploy && self.pipeline().deploy.is_some();
        let tests = self.suite.as_deref().is_some_and(|suite| !suite.commands.is_empty());
        // A cycle that neither deploys nor runs a command needs no files.
        if !deploys && !tests {
            return Ok(RevisionResolved { revision, checkout: None, left_out: vec![] });
        }
        let laid_out = self.lay_out(&queued.pipeline, queued.cycle, &revision.sha).await?;
        let LaidOut { checkout, left_out } = laid_out;
        Ok(RevisionResolved { revision, checkout: Some(checkout), left_out })
    }

    /// Lays the files of a commit out for a cycle.
    pub(super) async fn lay_out(
        &self,
        pipeline: &PipelineName,
        cycle: u32,
        sha: &Sha,
    ) -> Result<LaidOut, Arc<git::Error>> {
        let relative = StatePaths::checkout(pipeline, cycle, sha);
        let folder = self.setup.paths.root().join(&relative);
        // A checkout that a crash left behind was never recorded: it may be incomplete.
        remove_leftover(&folder);
        let left_out = self.lay_out_at(&folder, sha).await?;
        Ok(LaidOut { checkout: relative.to_string_lossy().into_owned(), left_out })
    }

    /// Lays the files of a commit out in a new folder. Gives back the entries that were left out, each with
    /// the reason.
    ///
    /// # Errors
    /// When the commit cannot be had, or the disk refuses.
    pub async fn lay_out_at(
        &self,
        folder: &Path,
        sha: &Sha,
    ) -> Result<Vec<String>, Arc<git::Error>> {
        let limits = CheckoutLimits::default;
        let here = self.mirror_as_it_is().await?.checkout(sha, folder, limits()).await;
        let done = match here {
            Ok(done) => done,
            // What is missing or damaged is fetched, and the mirror made anew if need be.
            Err(fault) => {
                tracing::info!(%fault, "the mirror cannot lay out {}; it is fetched", sha.short());
                remove_leftover(folder);
                self.mirror().await?.checkout(sha, folder, limits()).await?
            }
        };
        let told = |entry: &git::Skipped| format!("{}: {}", entry.path, entry.reason.as_str());
        Ok(done.skipped.iter().map(told).collect())
    }

    /// What a surface says it serves, when git knows that commit: a cycle that deploys nothing tests
    /// what is there.
    async fn served(&self, journal: &Journal) -> Option<Revision> {
        let queued = &journal.state().queued;
        let facts = Facts {
            pipeline: queued.pipeline.to_string(),
            environment: queued.environment.to_string(),
            cycle: queued.cycle,
            revision: None,
        };
        // When the requests cannot be made up, readiness will say why.
        let env = self.make_env(facts).ok()?;
        let readings = readiness::read_surfaces(&env, &self.pipeline().ready.surfaces, None).await;
        let mirror = self.mirror().await.ok()?;
        for served in readings.iter().filter_map(|reading| reading.served.as_deref()) {
            let Some(spec) = commit_spec(served) else { continue };
            match mirror.resolve(spec).await {
                Ok(revision) => return Some(revision),
                Err(fault) => tracing::info!(%fault, served, "the repository lacks what is served"),
            }
        }
        None
    }

    async fn find_revision(&self, requested: Option<&str>) -> Result<Revision, Arc<git::Error>> {
        let requested = requested.map(RevisionSpec::parse).transpose()?;
        // Whoever saw a commit arrive has fetched it: what a full id names never changes.
        if let Some(spec @ RevisionSpec::Commit(_)) = &requested
            && let Ok(revision) = self.mirror_as_it_is().await?.resolve(spec.clone()).await
        {
            return Ok(revision);
        }
        let mirror = self.mirror().await?;
        let spec = match requested {
            Some(spec) => spec,
            None => self.default_revision(mirror).await?,
        };
        Ok(mirror.resolve(spec).await?)
    }

    /// The newest commit of the first watched branch that is named without a glob, else of the
    /// branches that the globs match; without any, of the remote's default branch.
    async fn default_revision(&self, mirror: &Mirror) -> Result<RevisionSpec, git::Error> {
        let watched = self.pipeline().watch.as_ref().map_or(&[][..], |watch| &watch.branches[..]);
        let mut named = watched.iter().filter(|branch| !branch.contains(['*', '?', '[', '{']));
        if let Some(spec) = named.next().and_then(|branch| RevisionSpec::branch(branch).ok()) {
            return Ok(spec);
        }
        if watched.is_empty() {
            return Ok(RevisionSpec::DefaultBranch);
        }
        let globs: Vec<Glob> = watched.iter().filter_map(|text| Glob::parse(text).ok()).collect();
        let mut newest: Option<(Timestamp, String)> = None;
        for tip in mirror.branches().await? {
            if globs.iter().any(|glob| glob.matches(&tip.name)) {
                let revision = mirror.resolve(RevisionSpec::branch(&tip.name)?).await?;
                newest = newest.max(Some((revision.time, tip.name)));
            }
        }
        let Some((_, name)) = newest else {
            let what = git::Absent::Revision(format!("branch like {}", watched.join(", ")));
            return Err(git::Error::NotFound { what, repository: mirror.url().to_string() });
        };
        RevisionSpec::branch(&name)
    }

    /// The mirror, fetched once.
    pub(super) async fn mirror(&self) -> Result<&Mirror, Arc<git::Error>> {
        let mirror = self.mirror_as_it_is().await?;
        let fetched = self.fetched.get_or_init(|| async { Ok(mirror.fetch(FETCH_TIME).await?) });
        fetched.await.as_ref().map_err(Arc::clone)?;
        Ok(mirror)
    }

    /// The mirror with these commits, fetched only where one is not in it.
    pub(super) async fn mirror_with(
        &self,
        commits: impl Iterator<Item = &Sha> + Send,
    ) -> Result<&Mirror, Arc<git::Error>> {
        let mirror = self.mirror_as_it_is().await?;
        for sha in commits {
            if mirror.resolve(RevisionSpec::Commit(sha.clone())).await.is_err() {
                return self.mirror().await;
            }
        }
        Ok(mirror)
    }

    /// The mirror as an earlier look left it: enough for a commit that is in it.
    pub(super) async fn mirror_as_it_is(&self) -> Result<&Mirror, Arc<git::Error>> {
        let opened = self.mirror.get_or_init(|| async { Ok(self.open_mirror().await?) });
        opened.await.as_ref().map_err(Arc::clone)
    }

    /// The mirror of the pipeline's repository, with the login of this moment; nothing is fetched.
    ///
    /// # Errors
    /// When the address or the login cannot be used.
    pub async fn open_mirror(&self) -> Result<Mirror, git::Error> {
        let pipeline = self.pipeline();
        let url = RepoUrl::of_pipeline(pipeline)?;
        let login = LoginSecrets { secrets: &self.secrets, host: &*self.setup.host };
        let spec = pipeline.watch.as_ref().and_then(|watch| watch.auth.as_ref());
        let auth = Auth::from_spec(spec, login);
        Mirror::open(&self.setup.paths.mirrors(), url, auth, MirrorOptions::default()).await
    }
}

/// Which entries of the tree are missing from the files; the report has all of them.
fn left_out(entries: &[String]) -> Option<String> {
    let more = match entries.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let named = entries[..entries.len().min(NAMED)].join("; ");
    match entries.len() {
        0 => None,
        1 => Some(format!("1 entry was left out: {named}")),
        count => Some(format!("{count} entries were left out: {named}{more}")),
    }
}

/// A search asks for commits by their ids: they belong to the branch of the cycle that it is about.
async fn of_its_branch(journal: &Journal, revision: Revision) -> Result<Revision, EngineError> {
    let queued = &journal.state().queued;
    let Some(of) = queued.options.search_of.filter(|_| revision.branch.is_none()) else {
        return Ok(revision);
    };
    let searched = journal.store().find_cycle(&queued.pipeline, Which::Number(of)).await?;
    let branch = searched.and_then(|row| row.summary.revision).and_then(|found| found.branch);
    Ok(Revision { branch, ..revision })
}

/// The commit that a surface names: an id of 7 to 40 digits, and nothing that could be a branch.
fn commit_spec(served: &str) -> Option<RevisionSpec> {
    let is_id = (7..=40).contains(&served.len()) && served.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| RevisionSpec::parse(&served.to_ascii_lowercase()).ok()).flatten()
}

fn remove_leftover(folder: &Path) {
    if let Err(fault) = std::fs::remove_dir_all(folder)
        && fault.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%fault, folder = %folder.display(), "cannot remove what a crash left behind");
    }
}
