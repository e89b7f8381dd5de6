//! One look at one pipeline's repository: from the remote's refs to stored movements.
//!
//! What is remembered is compared with what the remote has, so it does not matter how many pushes
//! there were, who told of them, or in which order. A look that breaks off leaves whole movements;
//! the next one finds the rest.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::commit::{Arrivals, Echo};
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::{Trigger, TriggerKind};
use crate::domain::revision::Sha;
use crate::domain::spec::Pipeline;
use crate::git::{
    self, ArrivalLimits, Branches, Looked, Mirror, Moved, RefsPrint, RepoUrl, UrlSource, enclosing,
};
use crate::store::{self, SeenCommit, StoreError, TriggerStore};
use crate::watch::{
    self, BranchMove, Compared, Cursors, Notice, RemoteTips, Rules, Watched, goes_round, judge,
};

/// How often a look starts over because somebody else moved a cursor.
const ATTEMPTS: usize = 3;
/// The most commits of other branches that are left out of what a new branch brings.
const MAX_KNOWN: usize = 100;
/// So many commits that were seen before are asked whether cycles go round.
pub(super) const MAX_SEEN: u32 = 500;

/// What a look needs to know of a pipeline.
#[derive(Debug, Clone)]
pub struct WatchedPipeline {
    /// Its name.
    pub pipeline: PipelineName,
    /// What its cycles deploy to.
    pub environment: EnvironmentName,
    /// Quiet time before a cycle starts.
    settle: Duration,
    watched: Watched,
    rules: Rules,
}

impl WatchedPipeline {
    /// What a pipeline watches, if it watches something.
    pub fn new(pipeline: &Pipeline) -> Option<Self> {
        let watch = pipeline.watch.as_ref()?;
        Some(Self {
            pipeline: pipeline.name.clone(),
            environment: pipeline.environment.clone(),
            settle: watch.settle,
            watched: Watched::new(watch),
            rules: Rules::new(watch, own_reports(pipeline)),
        })
    }
}

/// The folder of published reports, when they go to the watched repository itself.
fn own_reports(pipeline: &Pipeline) -> Option<&str> {
    let publish = pipeline.report.publish.as_ref()?;
    let base = pipeline.file.parent()?;
    let target = enclosing(RepoUrl::parse(&publish.repo, UrlSource::Operator { base }).ok()?);
    let watched = enclosing(RepoUrl::of_pipeline(pipeline).ok()?);
    (watched == target).then_some(publish.path.as_str())
}

/// What made somebody look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// It was time.
    Poll,
    /// A webhook said that something moved.
    Webhook,
}

/// What a look did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What to bring along to the next look; only for as long as the pipeline's rules stay the same.
    pub print: Option<RefsPrint>,
    /// Branches whose movement was stored.
    pub moved: usize,
    /// Among them those for which there is something to run.
    pub to_run: usize,
    /// Among them those that start nothing because cycles go round.
    pub stopped: usize,
    /// Among the branches those that are gone.
    pub gone: usize,
}

/// Why a look failed. None of these is news about the service.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The repository.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// Our own store.
    #[error("cannot store what a look found")]
    Store(#[from] StoreError),
    /// The login cannot be made.
    #[error("cannot log in: {0}")]
    Login(String),
    /// The whole look, not only its fetch, took too long.
    #[error("the look took longer than {0:?}")]
    Late(Duration),
    /// Somebody else stores movements of the same pipeline all the time.
    #[error("the branches of {0} were moved by somebody else at the same time")]
    Contended(PipelineName),
}

impl PollError {
    /// Whether another login could help.
    pub fn is_about_login(&self) -> bool {
        match self {
            Self::Git(error) => error.kind() == git::ErrorKind::Auth,
            Self::Login(_) => true,
            Self::Store(_) | Self::Late(_) | Self::Contended(_) => false,
        }
    }

    /// Whether our own disk took nothing of what the look found: no fault of the repository.
    pub fn is_lack_of_room(&self) -> bool {
        match self {
            Self::Git(error) => error.is_lack_of_room(),
            Self::Store(error) => error.is_lack_of_room(),
            Self::Login(_) | Self::Late(_) | Self::Contended(_) => false,
        }
    }
}

/// Looks at the remote once, within `limit`, and stores what moved.
///
/// # Errors
/// When the remote, the mirror or the store fails. What was stored until then stays.
pub async fn look(
    watched: &WatchedPipeline,
    mirror: &Mirror,
    store: &dyn TriggerStore,
    known: Option<RefsPrint>,
    hint: Hint,
    at: Timestamp,
    limit: Duration,
) -> Result<Look, PollError> {
    let branches = match mirror.look(known, limit).await? {
        Looked::Unchanged => return Ok(Look { print: known, ..Look::default() }),
        Looked::Seen(branches) => branches,
    };
    for name in &branches.skipped {
        tracing::debug!(pipeline = %watched.pipeline, name, "a reference of the remote is left out");
    }
    let print = branches.print;
    let taker = Taker { watched, mirror, store, hint, at, tips: tips_of(branches) };
    let mut look = Look { print: Some(print), ..Look::default() };
    for _ in 0..ATTEMPTS {
        if taker.take_all(&mut look).await? {
            return Ok(look);
        }
    }
    Err(PollError::Contended(watched.pipeline.clone()))
}

fn tips_of(branches: Branches) -> RemoteTips {
    RemoteTips {
        default_branch: branches.default_branch,
        branches: branches.tips.into_iter().map(|tip| (tip.name, tip.sha)).collect(),
    }
}

/// Takes the movements of one look, one after another.
struct Taker<'a> {
    watched: &'a WatchedPipeline,
    mirror: &'a Mirror,
    store: &'a dyn TriggerStore,
    hint: Hint,
    at: Timestamp,
    tips: RemoteTips,
}

impl Taker<'_> {
    /// `false` when a cursor was not where it was read: what is left must be compared anew.
    async fn take_all(&self, look: &mut Look) -> Result<bool, PollError> {
        let rows = self.store.cursors(&self.watched.pipeline).await?;
        let cursors = Cursors::new(rows.into_iter().map(|row| (row.branch, row.sha)));
        let Compared { moves, markers } = self.watched.watched.compare(&cursors, &self.tips);
        for moved in &moves {
            let arrivals = self.arrivals(moved, &cursors).await?;
            let movement = judge(moved, arrivals.as_ref(), &self.watched.rules);
            let movement = self.stop_if_it_goes_round(movement).await?;
            if !self.put(&movement).await? {
                return Ok(false);
            }
            look.moved += 1;
            look.to_run += usize::from(movement.run.is_some());
            look.gone += usize::from(movement.to.is_none());
            look.stopped += usize::from(movement.echo == Echo::Stopped);
            self.tell(&movement, arrivals.as_ref());
        }
        if cursors.is_first_look() {
            let (pipeline, branches) = (&self.watched.pipeline, moves.len());
            tracing::info!(%pipeline, branches, "watched for the first time; what was merged before is not news");
        }
        for marker in markers {
            let nothing = self.stored(&marker, None, None);
            self.store.put_movement(nothing).await?;
        }
        Ok(true)
    }

    /// The movement, without its cycle where that would be one more of a circle.
    async fn stop_if_it_goes_round(
        &self,
        movement: watch::Movement,
    ) -> Result<watch::Movement, PollError> {
        if movement.run.is_none() || movement.echo == Echo::No {
            return Ok(movement);
        }
        let seen = self.store.seen_before(&self.watched.pipeline, MAX_SEEN).await?;
        Ok(if goes_round(&seen) { watch::stop(movement) } else { movement })
    }

    async fn arrivals(
        &self,
        moved: &BranchMove,
        cursors: &Cursors,
    ) -> Result<Option<Arrivals>, PollError> {
        let Some(to) = moved.to().filter(|_| moved.brings_commits()) else { return Ok(None) };
        let known = match moved.from() {
            Some(_) => vec![],
            None => self.known_without(moved.branch(), cursors),
        };
        let moved = Moved { from: moved.from().cloned(), to: to.clone(), known };
        Ok(Some(self.mirror.arrivals(moved, ArrivalLimits::default()).await?))
    }

    /// Where other branches are, or were when last looked at: the default branch first, as most
    /// branches begin there.
    fn known_without(&self, branch: &str, cursors: &Cursors) -> Vec<Sha> {
        let tips = &self.tips;
        let default =
            tips.default_branch.as_ref().and_then(|name| tips.branches.get_key_value(name));
        let others = default.into_iter().chain(&tips.branches);
        let others = others.filter(|(name, _)| *name != branch).map(|(_, sha)| sha);
        let remembered = cursors.live().map(|(_, sha)| sha);
        remembered.chain(others).take(MAX_KNOWN).cloned().collect()
    }

    async fn put(&self, movement: &watch::Movement) -> Result<bool, PollError> {
        let mut stored = self.stored(&movement.branch, movement.from.clone(), movement.to.clone());
        stored.commits = movement.commits.iter().map(seen_commit).collect();
        stored.run = movement.run.clone().map(|sha| (sha, self.cause(movement)));
        Ok(self.store.put_movement(stored).await?)
    }

    fn stored(&self, branch: &str, from: Option<Sha>, to: Option<Sha>) -> store::Movement {
        let settle = SignedDuration::try_from(self.watched.settle).unwrap_or(SignedDuration::ZERO);
        store::Movement {
            pipeline: self.watched.pipeline.clone(),
            environment: self.watched.environment.clone(),
            branch: branch.to_owned(),
            from,
            to,
            commits: vec![],
            run: None,
            not_before: self.at.checked_add(settle).unwrap_or(self.at),
            at: self.at,
        }
    }

    fn cause(&self, movement: &watch::Movement) -> Trigger {
        let kind = match self.hint {
            Hint::Poll => TriggerKind::Commit,
            Hint::Webhook => TriggerKind::Webhook,
        };
        Trigger { kind, detail: movement.detail.clone() }
    }

    fn tell(&self, movement: &watch::Movement, arrivals: Option<&Arrivals>) {
        let pipeline = &self.watched.pipeline;
        let commits = arrivals.map_or(0, |arrivals| arrivals.total);
        let runs = movement.run.is_some();
        match movement.notice {
            Notice::Usual => tracing::info!(%pipeline, commits, runs, "{}", movement.detail),
            Notice::Unusual => tracing::warn!(%pipeline, commits, runs, "{}", movement.detail),
        }
        if arrivals.is_some_and(Arrivals::is_cut) {
            let listed = movement.commits.len();
            tracing::warn!(%pipeline, commits, listed, "only the newest commits are listed");
        }
    }
}

fn seen_commit(arrival: &watch::Arrival) -> SeenCommit {
    SeenCommit {
        sha: arrival.sha.clone(),
        subject: arrival.subject.clone(),
        author: arrival.author.clone(),
        skipped_by: arrival.skipped_by.clone(),
        echo: arrival.echo,
    }
}
