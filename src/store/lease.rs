//! Who may change an environment: one holder at a time, each with a fence that only grows. What is
//! written in the name of an old fence is refused. Pure; whether a process lives is the caller's
//! to find out.

use jiff::Timestamp;
use serde::Serialize;

use super::rows::CycleKey;
use crate::domain::names::EnvironmentName;

/// The process that holds an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// The machine's name, for people.
    pub host: String,
    /// The machine's boot, which tells machines and boots apart.
    pub boot_id: String,
    /// Its process id.
    pub pid: u32,
    /// When it started, as the system says it: tells it from a later process with the same id.
    pub started: String,
}

/// Whether an owner is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It is certainly gone.
    Dead,
    /// Nobody here can tell: it is on another machine. Its hold stays.
    Unknown,
}

/// Finds out whether an owner is still there.
pub type Judge<'a> = &'a (dyn Fn(&Owner) -> Liveness + Send + Sync);

/// A hold on an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The environment.
    pub environment: EnvironmentName,
    /// Its number: greater than that of every hold before it.
    pub fence: u64,
}

/// Who holds an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The process.
    pub owner: Owner,
    /// The cycle it works on, unless that has expired.
    pub cycle: Option<CycleKey>,
    /// The number of its hold.
    pub fence: u64,
    /// Since when.
    pub taken_at: Timestamp,
}

/// The answer to the wish to hold an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquisition {
    /// It is ours now.
    Acquired {
        /// Our hold.
        lease: Lease,
        /// The process that died with it, if one did: nobody saw the end of its cycle.
        from: Option<Holder>,
    },
    /// Somebody has it, or nobody knows whether somebody does.
    Busy(Holder),
}

/// A wish to hold an environment.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The environment.
    pub environment: EnvironmentName,
    /// Who wants it.
    pub owner: Owner,
    /// For which cycle.
    pub cycle: CycleKey,
    /// When.
    pub at: Timestamp,
}

/// What to do about a wish, as the lease stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    Take,
    Refuse(Holder),
}

/// Decides about a wish: a free environment is taken, a dead holder's too.
pub(super) fn decide(holder: Option<&Holder>, judge: Judge<'_>) -> Decision {
    let Some(holder) = holder else {
        return Decision::Take;
    };
    match judge(&holder.owner) {
        Liveness::Dead => Decision::Take,
        Liveness::Alive | Liveness::Unknown => Decision::Refuse(holder.clone()),
    }
}
