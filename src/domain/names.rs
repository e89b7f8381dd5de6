//! Names that identify things across runs, each a type of its own so that they cannot be mixed up.
//!
//! A cycle of many cases holds each name many times over, so their texts are shared.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that does not fit its grammar.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} {text:?} is not valid: {rule}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_newtype! {
    /// The name of a pipeline, `[a-z0-9][a-z0-9-]*`; it is also a folder name under `reports/`.
    PipelineName
}
text_newtype! {
    /// The environment that a pipeline deploys to. Pipelines that share one never overlap.
    EnvironmentName
}
text_newtype! {
    /// The identity of a case across runs, unique within its suite.
    CaseId
}
text_newtype! {
    /// What identifies a failure beyond its varying parts, `v1-` and twelve hex digits.
    Fingerprint
}
text_newtype! {
    /// The id of a five-whys document, `INV-0003`.
    InvestigationId
}

fn is_slug(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first_fits = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first_fits && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl PipelineName {
    /// Checks a name against `[a-z0-9][a-z0-9-]*`, at most 100 bytes.
    ///
    /// # Errors
    /// When the text does not fit that grammar.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if is_slug(text) && text.len() <= 100 {
            return Ok(Self(text.into()));
        }
        let rule = "use lower-case letters, digits and `-`, starting with a letter or digit, at most 100 of them";
        Err(InvalidName { what: "pipeline name", text: text.to_owned(), rule })
    }
}

impl EnvironmentName {
    /// Checks an environment's name: 1 to 100 visible characters, no control characters or slashes.
    ///
    /// # Errors
    /// When the text is empty, too long, or has a character that is not allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fits = !text.trim().is_empty()
            && text.len() <= 100
            && !text.chars().any(|c| c.is_control() || c == '/' || c == '\\');
        if fits {
            return Ok(Self(text.into()));
        }
        let rule = "use 1 to 100 visible characters without slashes";
        Err(InvalidName { what: "environment", text: text.to_owned(), rule })
    }
}

impl CaseId {
    /// Checks a case id: 1 to 500 bytes, no control characters.
    ///
    /// # Errors
    /// When the text is empty, too long, or has a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fits = !text.is_empty() && text.len() <= 500 && !text.chars().any(char::is_control);
        if fits {
            return Ok(Self(text.into()));
        }
        let rule = "use 1 to 500 characters without control characters";
        Err(InvalidName { what: "case id", text: text.to_owned(), rule })
    }
}

impl CaseId {
    /// How the case begins that stands for a command of a suite as a whole.
    const OF_COMMAND: &str = "command ";

    /// The case that stands for a command as a whole: planned only where something is to be said of
    /// the command that none of its tests says.
    pub fn of_command(name: &str) -> Self {
        let visible = name.chars().filter(|c| !c.is_control()).take(100);
        let text: String = Self::OF_COMMAND.chars().chain(visible).collect();
        Self(text.into())
    }

    /// Whether it stands for a command as a whole. Such a case is no test: it is not counted where
    /// tests are expected, and is not missed when it is not planned.
    pub fn is_of_command(&self) -> bool {
        self.0.starts_with(Self::OF_COMMAND)
    }
}

impl Fingerprint {
    /// Puts a fingerprint together from the version of its algorithm and a digest.
    pub fn new(version: u16, digest_hex: &str) -> Self {
        Self(format!("v{version}-{digest_hex}").into())
    }

    /// Reads `v1-` and letters and digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, digest) = text.strip_prefix('v')?.split_once('-')?;
        let fits = !version.is_empty()
            && version.bytes().all(|b| b.is_ascii_digit())
            && !digest.is_empty()
            && digest.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(text.into()))
    }
}

impl InvestigationId {
    /// The id with that number: `INV-0003` for 3.
    pub fn from_number(number: u32) -> Self {
        Self(format!("INV-{number:04}").into())
    }

    /// Reads `INV-0003` (any case, any number of digits up to nine).
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            text.get(..4).filter(|p| p.eq_ignore_ascii_case("inv-")).map(|_| &text[4..])?;
        let is_number =
            (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| digits.parse().ok().map(Self::from_number)).flatten()
    }

    /// The number within the id.
    pub fn number(&self) -> u32 {
        self.0.get(4..).and_then(|d| d.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipeline_names_are_slugs() {
        assert!(PipelineName::parse("chat-staging").is_ok());
        for bad in ["", "-a", "Chat", "a/b", "a_b", "ä", "../x"] {
            assert!(PipelineName::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn investigation_ids_survive_a_round_trip() {
        let id = InvestigationId::from_number(3);
        assert_eq!(id.as_str(), "INV-0003");
        assert_eq!(InvestigationId::parse("inv-3"), Some(id.clone()));
        assert_eq!(id.number(), 3);
        for bad in ["INV-", "INV-x", "3", "INV-1234567890", "IN"] {
            assert_eq!(InvestigationId::parse(bad), None, "{bad:?} was taken");
        }
    }
}
