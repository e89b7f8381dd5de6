//! Git commits as the loop knows them.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// A full commit id: 40 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Sha(Arc<str>);

/// A text that is not a full commit id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a full commit id of 40 hex digits")]
pub struct InvalidSha(String);

impl Sha {
    /// Reads 40 hex digits; upper case is folded.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidSha> {
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Err(InvalidSha(text.chars().take(80).collect()))
    }

    /// All 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// Whether a surface that says `served` serves this revision: the full id, or its first seven
    /// or more digits (SPEC section 3, `ready.revision`).
    pub fn is_served_as(&self, served: &str) -> bool {
        let served = served.trim().to_ascii_lowercase();
        (7..=40).contains(&served.len()) && self.0.starts_with(served.as_str())
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Sha {
    type Error = InvalidSha;

    fn try_from(text: String) -> Result<Self, InvalidSha> {
        Self::parse(&text)
    }
}

impl Serialize for Sha {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The commit that a cycle deploys and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its id.
    pub sha: Sha,
    /// The first line of its message.
    pub subject: String,
    /// The author's name.
    pub author: String,
    /// The branch it was found on, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// When it was committed.
    pub time: Timestamp,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_served_revision_needs_seven_digits_at_least() {
        let sha = Sha::parse("4F1C2AA000000000000000000000000000000001").unwrap();
        assert_eq!(sha.short(), "4f1c2aa");
        assert!(sha.is_served_as("4f1c2aa"));
        assert!(sha.is_served_as(" 4F1C2AA0000 \n"));
        assert!(sha.is_served_as(sha.as_str()));
        for wrong in ["", "4f1c2a", "4f1c2ab", "4f1c2aa0000000000000000000000000000000010"] {
            assert!(!sha.is_served_as(wrong), "{wrong:?} was taken");
        }
    }
}
