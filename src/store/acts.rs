//! What people had the daemon do, and who they were. Plain data and the trait.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::domain::names::PipelineName;

/// The ways in which a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActKind {
    /// Opens a session of the pages.
    LogIn,
    /// Ends it.
    LogOut,
    /// Asks for a cycle.
    Start,
    /// Has a cycle end.
    Cancel,
    /// Says how a held cycle goes on.
    Resume,
    /// Has a trigger that waits start nothing.
    Drop,
    /// Edits an investigation.
    Edit,
    /// Closes an investigation.
    Close,
}

impl ActKind {
    const ALL: [Self; 8] = [
        Self::LogIn,
        Self::LogOut,
        Self::Start,
        Self::Cancel,
        Self::Resume,
        Self::Drop,
        Self::Edit,
        Self::Close,
    ];

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogIn => "log_in",
            Self::LogOut => "log_out",
            Self::Start => "start",
            Self::Cancel => "cancel",
            Self::Resume => "resume",
            Self::Drop => "drop",
            Self::Edit => "edit",
            Self::Close => "close",
        }
    }

    /// The opposite of [`ActKind::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Something that a person had done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Who, as far as it is known: what a request calls itself, beside the name of its token.
    pub person: String,
    /// What.
    pub kind: ActKind,
    /// The pipeline that it concerned.
    pub pipeline: Option<PipelineName>,
    /// The cycle, trigger or investigation that it was done to.
    pub subject: Option<String>,
    /// What was asked for, in words.
    pub detail: String,
}

/// An act that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActRow {
    /// Its number; later ones are greater.
    pub id: i64,
    /// The act.
    pub act: Act,
}

/// A store that remembers who did what.
#[async_trait]
pub trait ActStore: Send + Sync {
    /// Remembers an act. The newest ten thousand are kept, and the newest thousand sessions beside them.
    async fn put_act(&self, act: Act) -> Result<()>;

    /// The newest `limit` acts before that number, newest first.
    async fn list_acts(&self, before: Option<i64>, limit: u32) -> Result<Vec<ActRow>>;
}
