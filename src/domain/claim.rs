//! Fixes that somebody claims, and what became of each claim (SPEC section 9). What follows from a
//! cycle is decided by `investigation`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::names::InvestigationId;
use super::outcome::words;
use super::revision::Sha;

/// The longest name of whoever claims.
const MAX_NAME: usize = 60;

/// How a fix was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimSource {
    /// With `andon whys fix`.
    Command,
    /// By a trailer in the commit's message.
    Trailer,
}

words!(ClaimSource { Command => "whys fix", Trailer => "trailer" });

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClaimResult {
    /// No cycle with results had the commit yet.
    Open,
    /// A cycle had it, but not every case of the failure ran there.
    Deployed {
        /// The first such cycle.
        cycle: u32,
    },
    /// A cycle had it, and every case of the failure passed.
    Verified {
        /// The cycle.
        cycle: u32,
        /// Whether one of them passed only after a failed attempt.
        flaky: bool,
    },
    /// A cycle had it, and the failure was still there.
    Failed {
        /// The cycle.
        cycle: u32,
    },
    /// It was verified, and the failure came back in a later cycle that had it, too.
    CameBack {
        /// Where it was verified.
        verified: u32,
        /// Where the failure came back.
        cycle: u32,
    },
}

impl ClaimResult {
    /// Whether it waits for a cycle to decide it.
    pub fn is_pending(self) -> bool {
        match self {
            Self::Open | Self::Deployed { .. } => true,
            Self::Verified { .. } | Self::Failed { .. } | Self::CameBack { .. } => false,
        }
    }

    /// Whether this cycle showed that the commit is no fix, or none any more.
    pub fn is_refuted_in(self, this: u32) -> bool {
        match self {
            Self::Failed { cycle } | Self::CameBack { cycle, .. } => cycle == this,
            Self::Open | Self::Deployed { .. } | Self::Verified { .. } => false,
        }
    }

    /// Whether this cycle showed that it is a fix no more.
    pub fn came_back_in(self, this: u32) -> bool {
        matches!(self, Self::CameBack { cycle, .. } if cycle == this)
    }

    /// Whether this cycle showed that the commit is a fix.
    pub fn is_verified_in(self, this: u32) -> bool {
        matches!(self, Self::Verified { cycle, .. } if cycle == this)
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let cycle = |text: &str| text.parse::<u32>().ok();
        if text == "open" {
            return Some(Self::Open);
        }
        if let Some(rest) = text.strip_prefix("deployed in cycle ") {
            return Some(Self::Deployed { cycle: cycle(rest)? });
        }
        if let Some(rest) = text.strip_prefix("failed in cycle ") {
            return Some(Self::Failed { cycle: cycle(rest)? });
        }
        let rest = text.strip_prefix("verified in cycle ")?;
        if let Some((verified, back)) = rest.split_once(", came back in cycle ") {
            return Some(Self::CameBack { verified: cycle(verified)?, cycle: cycle(back)? });
        }
        let (number, flaky) = match rest.strip_suffix(" (flaky)") {
            Some(number) => (number, true),
            None => (rest, false),
        };
        Some(Self::Verified { cycle: cycle(number)?, flaky })
    }
}

impl fmt::Display for ClaimResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Deployed { cycle } => write!(f, "deployed in cycle {cycle}"),
            Self::Verified { cycle, flaky: false } => write!(f, "verified in cycle {cycle}"),
            Self::Verified { cycle, flaky: true } => write!(f, "verified in cycle {cycle} (flaky)"),
            Self::Failed { cycle } => write!(f, "failed in cycle {cycle}"),
            Self::CameBack { verified, cycle } => {
                write!(f, "verified in cycle {verified}, came back in cycle {cycle}")
            }
        }
    }
}

/// A commit that somebody says is the fix of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixClaim {
    /// The commit.
    pub commit: Sha,
    /// The first line of its message; empty where it is not known.
    #[serde(default)]
    pub subject: String,
    /// Who says so, in a form that needs no escapes.
    pub by: String,
    /// When, to the second.
    pub at: Timestamp,
    /// How.
    pub source: ClaimSource,
    /// What became of it.
    pub result: ClaimResult,
}

impl FixClaim {
    /// A claim of which nothing came yet. Of the name only letters, digits, spaces and hyphens are
    /// kept, so that a document can be read back; of the instant its seconds.
    pub fn new(commit: Sha, subject: &str, by: &str, at: Timestamp, source: ClaimSource) -> Self {
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let (subject, by) = (subject.to_owned(), plain(by));
        Self { commit, subject, by, at, source, result: ClaimResult::Open }
    }
}

/// A name without anything that Markdown reads.
fn plain(name: &str) -> String {
    let spaced: String =
        name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { ' ' }).collect();
    let words: Vec<&str> = spaced.split_whitespace().map(|word| word.trim_matches('-')).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let name: String = words.join(" ").chars().take(MAX_NAME).collect();
    if name.is_empty() { "somebody".to_owned() } else { name.trim_end().to_owned() }
}

/// What a cycle says of the claimed fixes of a failure that it did not show beside its clusters: it is
/// gone, or nothing is known of it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixProgress {
    /// The investigation.
    pub id: InvestigationId,
    /// The name of its file, without folder.
    pub file: String,
    /// A few words for the failure.
    pub about: String,
    /// Its state after the cycle.
    pub state: super::findings::InvestigationState,
    /// Its claims after the cycle, oldest first.
    pub claims: Vec<FixClaim>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn results_are_read_as_they_are_written() {
        for result in [
            ClaimResult::Open,
            ClaimResult::Deployed { cycle: 4 },
            ClaimResult::Verified { cycle: 5, flaky: false },
            ClaimResult::Verified { cycle: 5, flaky: true },
            ClaimResult::Failed { cycle: 6 },
            ClaimResult::CameBack { verified: 5, cycle: 9 },
        ] {
            assert_eq!(ClaimResult::parse(&result.to_string()), Some(result));
        }
        for odd in ["", "Open", "failed in cycle", "failed in cycle x", "verified in cycle 5 (odd)"]
        {
            assert_eq!(ClaimResult::parse(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn a_name_cannot_break_a_document() {
        for (name, kept) in [
            ("Ada Brandt", "Ada Brandt"),
            ("O'Brien | <b>x</b> @team", "O Brien b x b team"),
            ("José-María", "José-María"),
            ("<!-- andon:end -->\n", "andon end"),
            ("***", "somebody"),
        ] {
            assert_eq!(plain(name), kept);
        }
    }
}
