//! Whether the loop goes on after a cycle (SPEC section 3, `cycles`; section 5 on void cycles).

use std::collections::BTreeSet;

use crate::domain::names::CaseId;
use crate::domain::outcome::{TriggerKind, Verdict};
use crate::domain::revision::Sha;
use crate::domain::spec::{Cycles, Until};

/// A cycle that is over, as far as the policy looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Its number.
    pub cycle: u32,
    /// What it tested; `None` when that was never known.
    pub revision: Option<Sha>,
    /// Why it started.
    pub kind: TriggerKind,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether a void one can be expected to come out otherwise when it is run again.
    pub is_worth_a_rerun: bool,
    /// What was failing, or had no result.
    pub not_good: BTreeSet<CaseId>,
}

/// Whether the loop goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another cycle of the same revision at once: the last one was void.
    Rerun,
    /// Another cycle of the same revision after the pause.
    Again,
    /// It is over.
    Stop(StopReason),
}

/// Why the loop is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The pipeline runs once for each reason.
    Once,
    /// Every case that decides passes.
    Green,
    /// So many cycles of one revision were not enough.
    TooMany(u32),
    /// So many cycles in a row ended with the same cases failing.
    NoProgress(u32),
    /// A person ended it.
    Cancelled,
}

impl StopReason {
    /// Whether the loop ends without what it runs for.
    pub fn is_giving_up(self) -> bool {
        match self {
            Self::TooMany(_) | Self::NoProgress(_) => true,
            Self::Once | Self::Green | Self::Cancelled => false,
        }
    }
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Once => f.write_str("the pipeline runs once for each reason"),
            Self::Green => f.write_str("every case that decides passes"),
            Self::TooMany(1) => f.write_str("given up after 1 cycle of one revision"),
            Self::TooMany(max) => write!(f, "given up after {max} cycles of one revision"),
            Self::NoProgress(1) => f.write_str("given up: 1 cycle left cases failing"),
            Self::NoProgress(times) => {
                write!(f, "given up: {times} cycles in a row left the same cases failing")
            }
            Self::Cancelled => f.write_str("a person ended it"),
        }
    }
}

/// Decides after the newest cycle, which is the first of `past` (newest first).
///
/// # Panics
/// Never: without any cycle there is nothing to go on with.
pub fn after_cycle(policy: &Cycles, past: &[Past]) -> Next {
    let Some(newest) = past.first() else { return Next::Stop(StopReason::Once) };
    match newest.verdict {
        Verdict::Cancelled | Verdict::Superseded => return Next::Stop(StopReason::Cancelled),
        Verdict::Void if newest.is_worth_a_rerun && !is_rerun(past) => return Next::Rerun,
        Verdict::Void
        | Verdict::Green
        | Verdict::Red
        | Verdict::Incomplete
        | Verdict::DeployFailed
        | Verdict::NotReady => {}
    }
    match policy.until {
        Until::Once => Next::Stop(StopReason::Once),
        Until::Always => Next::Again,
        Until::Green => until_green(policy, past, newest),
    }
}

/// Whether the newest cycle is itself the rerun of a void one.
fn is_rerun(past: &[Past]) -> bool {
    past.get(1).is_some_and(|before| {
        past[0].kind == TriggerKind::Retry
            && before.verdict == Verdict::Void
            && before.revision == past[0].revision
    })
}

fn until_green(policy: &Cycles, past: &[Past], newest: &Past) -> Next {
    if newest.verdict == Verdict::Green {
        return Next::Stop(StopReason::Green);
    }
    let series = series(past);
    if series.len() >= policy.max as usize {
        return Next::Stop(StopReason::TooMany(policy.max));
    }
    let alike = |past: &&&Past| past.verdict == newest.verdict && past.not_good == newest.not_good;
    let same = series.iter().take_while(alike).count();
    if same >= policy.no_progress as usize {
        return Next::Stop(StopReason::NoProgress(policy.no_progress));
    }
    Next::Again
}

/// The cycles of this loop: those of the newest one's revision, back to the one that began it.
fn series(past: &[Past]) -> Vec<&Past> {
    let mut series = Vec::new();
    for cycle in past {
        if cycle.revision != past[0].revision {
            break;
        }
        series.push(cycle);
        if cycle.kind != TriggerKind::Retry {
            break;
        }
    }
    series
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn policy(until: Until) -> Cycles {
        Cycles { until, max: 5, no_progress: 3, pause: Duration::from_secs(120) }
    }

    fn revision(n: u8) -> Option<Sha> {
        Some(Sha::parse(&format!("{n:040x}")).unwrap())
    }

    /// Cycles of one loop in the order in which they ran, each failing these cases.
    fn ran(failing: &[&[&str]]) -> Vec<Past> {
        let past = failing.iter().enumerate().map(|(index, failing)| Past {
            cycle: u32::try_from(index).unwrap() + 1,
            revision: revision(1),
            kind: if index == 0 { TriggerKind::Commit } else { TriggerKind::Retry },
            verdict: if failing.is_empty() { Verdict::Green } else { Verdict::Red },
            is_worth_a_rerun: false,
            not_good: failing.iter().map(|id| CaseId::parse(id).unwrap()).collect(),
        });
        let mut past: Vec<Past> = past.collect();
        past.reverse();
        past
    }

    #[test]
    fn once_is_once_and_always_is_always() {
        let red = ran(&[&["a"]]);
        assert_eq!(after_cycle(&policy(Until::Once), &red), Next::Stop(StopReason::Once));
        assert_eq!(after_cycle(&policy(Until::Always), &ran(&[&[]])), Next::Again);
        assert_eq!(after_cycle(&policy(Until::Always), &[]), Next::Stop(StopReason::Once));
    }

    #[test]
    fn until_green_ends_with_green_too_many_or_no_progress() {
        let green = policy(Until::Green);
        assert_eq!(after_cycle(&green, &ran(&[&["a"]])), Next::Again);
        assert_eq!(after_cycle(&green, &ran(&[&["a"], &[]])), Next::Stop(StopReason::Green));
        let stuck = ran(&[&["a"], &["a"], &["a"]]);
        assert_eq!(after_cycle(&green, &stuck), Next::Stop(StopReason::NoProgress(3)));
        let moves = ran(&[&["a"], &["b"], &["a"], &["b"], &["a"]]);
        assert_eq!(after_cycle(&green, &moves[1..]), Next::Again);
        assert_eq!(after_cycle(&green, &moves), Next::Stop(StopReason::TooMany(5)));
    }

    #[test]
    fn another_revision_and_another_reason_begin_a_loop_of_their_own() {
        let green = policy(Until::Green);
        let mut past = ran(&[&["a"], &["a"], &["a"]]);
        past[1].revision = revision(2);
        assert_eq!(after_cycle(&green, &past), Next::Again);
        let mut past = ran(&[&["a"], &["a"], &["a"]]);
        past[0].kind = TriggerKind::Schedule;
        assert_eq!(after_cycle(&green, &past), Next::Again);
    }

    #[test]
    fn a_void_cycle_is_run_once_again_and_not_twice() {
        let once = policy(Until::Once);
        let mut past = ran(&[&["a"], &["a"]]);
        for cycle in &mut past {
            cycle.verdict = Verdict::Void;
            cycle.is_worth_a_rerun = true;
        }
        assert_eq!(after_cycle(&once, &past[1..]), Next::Rerun);
        assert_eq!(after_cycle(&once, &past), Next::Stop(StopReason::Once));
        past[1].is_worth_a_rerun = false;
        assert_eq!(after_cycle(&once, &past[1..]), Next::Stop(StopReason::Once));
    }

    #[test]
    fn what_a_person_ended_stays_ended() {
        let mut past = ran(&[&["a"]]);
        past[0].verdict = Verdict::Cancelled;
        let stopped = Next::Stop(StopReason::Cancelled);
        assert_eq!(after_cycle(&policy(Until::Always), &past), stopped);
    }
}
