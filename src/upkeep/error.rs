//! What can go wrong with upkeep. The records are as they were, or as they were going to be.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Why upkeep was not done.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A copy that was just made is not sound.
    #[error("the copy of the database is not sound: {fault}")]
    Unsound {
        /// What was found.
        fault: String,
    },
    /// There is no room where a copy was to be written.
    #[error("no space is left for the copy {}", path.display())]
    NoRoomForCopy {
        /// Where it was to be.
        path: PathBuf,
    },
    /// A file or folder could not be read, written or removed.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl UpkeepError {
    /// A fault of the file system at `path`.
    pub(super) fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { what, path: path.to_owned(), source }
    }

    /// Whether the disk of the state folder took nothing.
    pub fn is_lack_of_room(&self) -> bool {
        match self {
            Self::Store(fault) => fault.is_lack_of_room(),
            Self::NoRoomForCopy { .. } | Self::Unsound { .. } | Self::File { .. } => false,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(fault) => fault.hint(),
            Self::Unsound { .. } => Some("`andon doctor` looks at the database itself"),
            Self::NoRoomForCopy { .. } => {
                Some("name a place on another disk; a copy takes about as much as the state folder")
            }
            Self::File { .. } => None,
        }
    }
}
