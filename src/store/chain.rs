//! The chain of deploy records: which records have a link, what a link is made of, and whether links that were
//! read back still hold.
//!
//! Each environment has a chain of its own, in the order in which its records were written. A link holds the
//! digest of its record beside its own, so that the chain can still be walked when records have expired.
//! Pure: it reads no database and no clock. There is no key in a digest: whoever makes every later link anew
//! is found out only by a copy of the database that was kept elsewhere.

use sha2::{Digest as _, Sha256};

use crate::domain::event::{Event, Recorded};
use crate::domain::names::EnvironmentName;
use crate::domain::outcome::Phase;
use crate::store::CycleKey;
use crate::store::codec::StoredEvent;

/// A SHA-256.
pub(super) type LinkDigest = [u8; 32];

/// What stands before the first link.
const BEGINNING: LinkDigest = [0; 32];

/// Tells these digests from any others, and names the rule that they follow.
const RECORD: &[u8] = b"andon deploy record 1";
const LINK: &[u8] = b"andon deploy link 1";

/// Whether an event says what was deployed, that it was about to be, how it ended, or what a person said
/// about it.
pub(super) fn is_deploy_record(event: &Event) -> bool {
    match event {
        Event::RevisionResolved(_)
        | Event::StepStarted(_)
        | Event::StepEnded(_)
        | Event::RollbackPlanned(_)
        | Event::Held(_)
        | Event::Resumed(_) => true,
        Event::PhaseEnded(ended) => matches!(ended.phase, Phase::Deploy | Phase::Rollback),
        Event::Queued(_)
        | Event::PhaseStarted(_)
        | Event::SurfacesRead(_)
        | Event::ControlsRead(_)
        | Event::SuitePlanned(_)
        | Event::CommandStarted(_)
        | Event::CasesPlanned(_)
        | Event::CommandEnded(_)
        | Event::AttemptFinished(_)
        | Event::SuiteEnded(_)
        | Event::Analysed(_)
        | Event::ReportWritten(_)
        | Event::CancelRequested(_)
        | Event::Finished(_) => false,
    }
}

/// A record as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub at_us: i64,
    pub kind: &'a str,
    pub version: i64,
    pub payload: &'a str,
}

impl<'a> Row<'a> {
    /// The row that an event is about to get.
    pub(super) fn of(recorded: &Recorded, stored: &'a StoredEvent) -> Self {
        Self {
            at_us: recorded.at.as_microsecond(),
            kind: &stored.kind,
            version: i64::from(stored.version),
            payload: &stored.payload,
        }
    }

    /// The digest of what was recorded. Every part comes with its length, so that none can be read as two.
    pub(super) fn digest(&self) -> LinkDigest {
        let mut hash = Sha256::new();
        hash.update(RECORD);
        hash.update(self.at_us.to_be_bytes());
        hash.update(self.version.to_be_bytes());
        add_text(&mut hash, self.kind);
        add_text(&mut hash, self.payload);
        hash.finalize().into()
    }
}

/// Which record a link is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    /// Its cycle.
    pub cycle: CycleKey,
    /// Its place within the cycle.
    pub seq: u64,
}

impl std::fmt::Display for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "event {} of {}", self.seq, self.cycle)
    }
}

/// A link as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub position: u64,
    pub record: RecordKey,
    pub content: LinkDigest,
    pub digest: LinkDigest,
}

/// The end of a chain: what the next link is made of.
#[derive(Debug, Clone)]
pub(super) struct End {
    environment: EnvironmentName,
    position: u64,
    digest: LinkDigest,
}

impl End {
    /// The end of a chain without any link.
    pub(super) fn of_none(environment: EnvironmentName) -> Self {
        Self { environment, position: 0, digest: BEGINNING }
    }

    /// The end of a chain whose last link is at `position`.
    pub(super) fn at(environment: EnvironmentName, position: u64, digest: LinkDigest) -> Self {
        Self { environment, position, digest }
    }

    /// The link of the next record, which is the end from then on.
    pub(super) fn link(&mut self, record: RecordKey, content: LinkDigest) -> Link {
        let position = self.position.saturating_add(1);
        let mut hash = Sha256::new();
        hash.update(LINK);
        hash.update(self.digest);
        hash.update(position.to_be_bytes());
        add_text(&mut hash, self.environment.as_str());
        add_text(&mut hash, record.cycle.pipeline.as_str());
        hash.update(record.cycle.cycle.to_be_bytes());
        hash.update(record.seq.to_be_bytes());
        hash.update(content);
        (self.position, self.digest) = (position, hash.finalize().into());
        Link { position, record, content, digest: self.digest }
    }

    /// Walks on over a link that was read back, with the digest of its record as that stands now.
    ///
    /// # Errors
    /// What does not hold; there is nothing behind it that could be believed.
    pub(super) fn check(&mut self, link: &Link, found: Found) -> Result<(), Broken> {
        let position = self.position.saturating_add(1);
        if link.position != position {
            return Err(Broken::LinkGone { position, next: link.record.clone() });
        }
        let record = || link.record.clone();
        if self.link(record(), link.content) != *link {
            return Err(Broken::LinkChanged { position, record: record() });
        }
        match found {
            Found::Expired => Ok(()),
            Found::Record(digest) if digest == link.content => Ok(()),
            Found::Record(_) => Err(Broken::RecordChanged { record: record() }),
            Found::Nothing => Err(Broken::RecordGone { record: record() }),
        }
    }

    /// How many links were walked over.
    pub(super) fn links(&self) -> u64 {
        self.position
    }
}

fn add_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

/// What is there of the record of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The record, with this digest.
    Record(LinkDigest),
    /// Nothing, because the records of its cycle expired.
    Expired,
    /// Nothing, although they did not.
    Nothing,
}

/// The first thing in a chain that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A link is missing before another one.
    #[error("link {position} is gone, before that of {next}")]
    LinkGone {
        /// The place where one should be.
        position: u64,
        /// The record of the link that comes after it.
        next: RecordKey,
    },
    /// A link is not what follows from those before it.
    #[error("link {position}, of {record}, does not follow from the one before it")]
    LinkChanged {
        /// Its place.
        position: u64,
        /// The record that it names.
        record: RecordKey,
    },
    /// A record is not what was recorded.
    #[error("{record} is not what was recorded")]
    RecordChanged {
        /// Which.
        record: RecordKey,
    },
    /// A record is missing.
    #[error("{record} is gone")]
    RecordGone {
        /// Which.
        record: RecordKey,
    },
    /// A record has no link: it was put there by hand, or its link was taken away.
    #[error("{record} has no link: it was added, or its link is gone")]
    Unlinked {
        /// Which.
        record: RecordKey,
    },
}

/// What a look at every chain found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployChains {
    /// The links that hold.
    pub links: u64,
    /// Of each environment whose chain does not hold, the first place.
    pub broken: Vec<(EnvironmentName, Broken)>,
}

#[cfg(test)]
mod tests;
