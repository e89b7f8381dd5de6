//! Commits files onto a branch and pushes them, whoever else moves that branch meanwhile.
//!
//! Nothing is ever forced: the branch moves from the commit that ours was made on, or not at all, and
//! then everything is done again on what is there now. No hook of a repository on this machine runs.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::build::TreeUpdateBuilder;
use git2::{Commit, ErrorCode, FileMode, Oid, Repository, Signature, Time, Tree};
use jiff::Timestamp;

use super::deadline::Deadline;
use super::error::Error;
use super::fetch::{Place, fetch};
use super::local::open_source;
use super::push::{Pushed, move_branch, push};
use super::revision::sha_of;
use super::text::clip;
use super::url::Target;
use crate::domain::commit::REPORT_ADDRESS;
use crate::domain::refname::branch_fault;
use crate::domain::revision::Sha;

/// How often it is done again when the branch moved meanwhile: after that, it is somebody else's turn to
/// decide when to begin anew.
const MAX_RETRIES: u32 = 5;
/// The pause before the next attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// So far back the last change of a file is looked for.
const MAX_DEPTH: usize = 1_000;
/// The longest file.
const MAX_FILE: u64 = 256 << 20;

/// What a file of a publication is. Whichever: a file that somebody else put there or changed last is
/// never written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// It is never changed: what is there under its name, with its size, is it.
    AsItIs,
    /// It is made anew, on what we made: what people changed on the branch stays.
    Edits,
}

/// A file to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its path in the repository.
    pub path: String,
    /// Where it lies.
    pub source: PathBuf,
    /// What it is.
    pub keeps: Keeps,
}

/// Files to be committed onto a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The branch; it is made when it is not there.
    pub branch: String,
    /// The files; others on the branch stay.
    pub files: Vec<PublishedFile>,
    /// The message's first line.
    pub subject: String,
    /// The trailer that tells our commits from others: its key, then its value.
    pub trailer: (&'static str, String),
    /// When.
    pub at: Timestamp,
}

/// What became of a publication.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The new commit; `None` when all of it was there.
    pub commit: Option<Sha>,
    /// Files that somebody changed on the branch: they stay as they are there.
    pub kept: Vec<String>,
}

/// Publishes, within the deadline.
pub(super) fn publish(
    place: &Place,
    publication: &Publication,
    deadline: Deadline,
) -> Result<Published, Error> {
    let reference = format!("refs/heads/{}", publication.branch);
    if let Some(reason) = branch_fault(&publication.branch) {
        let text = clip(&publication.branch, 100);
        return Err(Error::InvalidRevision { text, reason });
    }
    let mut pause = FIRST_PAUSE;
    for _ in 0..=MAX_RETRIES {
        deadline.check(&place.repository, "publishing")?;
        let repo = at_hand(place, deadline)?;
        let job = Job { place, publication, repo: &repo, reference: &reference };
        let tip = job.tip()?;
        let (new, kept) = job.commit_on(tip.as_ref())?;
        let Some(new) = new else { return Ok(Published { commit: None, kept }) };
        let old = tip.map(|tip| tip.id());
        let pushed = match place.url.target {
            Target::Local(_) => move_branch(place, &repo, &reference, old, new)?,
            Target::Http(_) | Target::Ssh(_) => push(place, &repo, &reference, new, deadline)?,
        };
        match pushed {
            Pushed::Taken => return Ok(Published { commit: sha_of(new), kept }),
            Pushed::Moved => std::thread::sleep(pause.min(deadline.remaining())),
        }
        pause *= 2;
    }
    Err(Error::Push {
        repository: place.repository.clone(),
        reason: format!("branch {} moved again and again", publication.branch),
    })
}

/// The repository that the commit is made in: the target itself where it is on this machine, else the
/// mirror, as new as can be.
fn at_hand(place: &Place, deadline: Deadline) -> Result<Repository, Error> {
    match &place.url.target {
        Target::Local(path) => open_source(path, &place.repository),
        Target::Http(_) | Target::Ssh(_) => {
            fetch(place, deadline)?;
            place.open()
        }
    }
}

/// One attempt.
struct Job<'a> {
    place: &'a Place,
    publication: &'a Publication,
    repo: &'a Repository,
    reference: &'a str,
}

impl<'a> Job<'a> {
    fn failed(&self) -> impl Fn(git2::Error) -> Error + use<'a> {
        let repository = self.place.repository.clone();
        move |fault| Error::Push {
            repository: repository.clone(),
            reason: clip(fault.message(), 300),
        }
    }

    /// The commit that the branch is at.
    fn tip(&self) -> Result<Option<Commit<'a>>, Error> {
        match self.repo.find_reference(self.reference) {
            Ok(found) => found.peel_to_commit().map(Some).map_err(self.failed()),
            Err(fault) if fault.code() == ErrorCode::NotFound => Ok(None),
            Err(fault) => Err(self.failed()(fault)),
        }
    }

    /// The commit to be pushed, unless the branch has everything; and the files that were left.
    fn commit_on(&self, tip: Option<&Commit<'a>>) -> Result<(Option<Oid>, Vec<String>), Error> {
        let failed = self.failed();
        let base = match tip {
            Some(tip) => tip.tree(),
            None => self
                .repo
                .treebuilder(None)
                .and_then(|empty| empty.write())
                .and_then(|empty| self.repo.find_tree(empty)),
        };
        let base = base.map_err(&failed)?;
        let mut update = TreeUpdateBuilder::new();
        let (mut changes, mut kept) = (false, Vec::new());
        for file in &self.publication.files {
            match self.becomes(file, &base, tip)? {
                Becomes::Same => {}
                Becomes::Theirs => kept.push(file.path.clone()),
                Becomes::New(blob) => {
                    changes = true;
                    update.upsert(&file.path, blob, FileMode::Blob);
                }
            }
        }
        if !changes {
            return Ok((None, kept));
        }
        let tree = update.create_updated(self.repo, &base).map_err(&failed)?;
        let tree = self.repo.find_tree(tree).map_err(&failed)?;
        let parents: Vec<&Commit<'_>> = tip.into_iter().collect();
        let time = Time::new(self.publication.at.as_second(), 0);
        let andon = Signature::new("Andon", REPORT_ADDRESS, &time).map_err(&failed)?;
        let (key, value) = &self.publication.trailer;
        let message = format!("{}\n\n{key}: {value}\n", self.publication.subject);
        let commit = self.repo.commit(None, &andon, &andon, &message, &tree, &parents);
        Ok((Some(commit.map_err(&failed)?), kept))
    }

    /// Whether the last commit that changed a file is one of ours.
    fn is_as_we_left_it(&self, tip: &Commit<'a>, path: &str) -> Result<bool, Error> {
        let failed = self.failed();
        let trailer = format!("\n{}:", self.publication.trailer.0);
        let mut commit = tip.clone();
        let now = blob_at(&commit.tree().map_err(&failed)?, path);
        for _ in 0..MAX_DEPTH {
            // A shallow history ends where its parents are not there.
            let parent = commit.parent(0).ok();
            let before = parent.as_ref().map(Commit::tree).transpose().map_err(&failed)?;
            if before.and_then(|before| blob_at(&before, path)) != now {
                let has_trailer =
                    String::from_utf8_lossy(commit.message_bytes()).contains(&trailer);
                // Who squashes a branch gathers trailers in a commit of their own.
                let is_ours = commit.committer().email_bytes() == REPORT_ADDRESS.as_bytes();
                return Ok(has_trailer && is_ours);
            }
            let Some(parent) = parent else { break };
            commit = parent;
        }
        Ok(false)
    }

    fn becomes(
        &self,
        file: &PublishedFile,
        base: &Tree<'_>,
        tip: Option<&Commit<'a>>,
    ) -> Result<Becomes, Error> {
        let there = blob_at(base, &file.path);
        if file.keeps == Keeps::AsItIs
            && let Some(there) = there
            && self.has_its_size(there, &file.source)
        {
            return Ok(Becomes::Same);
        }
        let bytes = read(&file.source).map_err(Error::io("read", &file.source))?;
        let new = self.repo.blob(&bytes).map_err(self.failed())?;
        Ok(match there {
            Some(there) if there == new => Becomes::Same,
            Some(_) => {
                let ours = tip.map(|tip| self.is_as_we_left_it(tip, &file.path)).transpose()?;
                if ours == Some(true) { Becomes::New(new) } else { Becomes::Theirs }
            }
            None => Becomes::New(new),
        })
    }

    fn has_its_size(&self, blob: Oid, source: &Path) -> bool {
        let there = self.repo.odb().and_then(|odb| odb.read_header(blob)).map(|(size, _)| size);
        let here = std::fs::symlink_metadata(source).map(|meta| meta.len());
        matches!((there, here), (Ok(there), Ok(here)) if there as u64 == here)
    }
}

/// What a file becomes on the branch.
enum Becomes {
    /// What it is.
    Same,
    /// What somebody made of it.
    Theirs,
    /// This.
    New(Oid),
}

fn blob_at(tree: &Tree<'_>, path: &str) -> Option<Oid> {
    tree.get_path(Path::new(path)).ok().map(|entry| entry.id())
}

/// Reads a file, and nothing that a link in its place points to.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it is longer than {} MiB", MAX_FILE >> 20)));
    }
    Ok(bytes)
}
