//! Compares a cycle's results with what is known of each case, and keeps that knowledge up to date.
//!
//! Every case is compared with *its own* last known result, wherever that came from, so that a
//! cycle which timed out hides nothing. The table of changes is total ([`change_of`]). All of it is
//! pure: no clock, no store; whoever calls brings the heads of the cases and stores the new ones.
//!
//! What it must not do: judge a cycle (`verdict`), or group failures (`cluster`). And a void cycle
//! never comes here, except to be listed without any comparison ([`uncompared`]); nor does one that
//! ended before its suite, except to show what was known ([`carried`]).

mod between;
mod compare;
mod figures;
mod history;
mod rename;
mod slower;

use std::sync::Arc;

pub use crate::domain::change::{Seen, change_of};
pub use between::{CaseRow, Difference, between};
pub use compare::{carried, compare, uncompared};
pub use figures::{Flakiness, flakiness};
pub use history::{advance, advance_all};

use crate::domain::findings::{CaseFinding, CaseResult, ProbableRename};
use crate::domain::history::{Counts, CycleRef};

/// Whether a cycle planned its whole suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Every case of the suite: one that is missing was removed.
    Whole,
    /// Only some (`--only`): nothing can be said about the others.
    Part,
}

/// What the results of a cycle are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tested {
    /// Its revision: it was deployed, or a surface said that it serves.
    Revision,
    /// Whatever the environment served: nothing tells which revision that was.
    WhateverServed,
}

/// What a cycle is compared with, and by what.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The cycle.
    pub this: &'a CycleRef,
    /// The digest of its configuration.
    pub config_digest: &'a Arc<str>,
    /// What became of its planned cases, in the order of the plan.
    pub results: &'a [CaseResult],
    /// The latest earlier cycle with a valid suite that planned its whole suite: normally the
    /// baseline. What was planned then or since, and no longer is, was removed.
    pub last_whole: Option<u32>,
    /// Whether this cycle planned its whole suite.
    pub selection: Selection,
    /// What its results are of.
    pub tested: Tested,
}

/// What the comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Every planned case in the order of the plan, then the removed ones by id.
    pub cases: Vec<CaseFinding>,
    /// Removed and new cases that are much alike.
    pub renames: Vec<ProbableRename>,
}

/// How the planned cases ended.
pub fn counts(results: &[CaseResult]) -> Counts {
    let mut counts = Counts::default();
    for result in results {
        counts.add(result.outcome);
    }
    counts
}
