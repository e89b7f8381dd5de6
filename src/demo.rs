//! The bundled staging service, and a repository with a history worth watching.
//!
//! This module only lays things out; `cli` then runs the loop over them with the code of `andon run`. Nothing here may
//! know how a cycle is run.

#[path = "../examples/chat-staging/service.rs"]
#[allow(missing_docs)] // Its own documentation is for people who read the example.
pub mod chat_staging;

mod history;
mod layout;

pub use history::{Commit, history};
pub use layout::{Layout, create};

/// Why the demo could not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder is in use.
    #[error("folder {0} is not empty")]
    NotEmpty(std::path::PathBuf),
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The repository could not be made.
    #[error("cannot make the demo's repository")]
    Git(#[from] git2::Error),
    /// The bundled history is not readable: a defect of this build.
    #[error("the bundled history is not readable: {0}")]
    History(String),
}
