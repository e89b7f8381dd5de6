//! The descendants of this process, and the family of one that lost its supervisor: found in /proc,
//! signalled without mistaking a reused pid; the former reaped. That works because the supervisor is a child subreaper: a process whose parent dies
//! becomes its child, however often it forked and whatever session it made.

use std::collections::{BTreeSet, HashMap};
use std::fs;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpgrp, getpid, kill_process_group,
    pidfd_open, pidfd_send_signal, wait,
};
use serde::{Deserialize, Serialize};

/// A process, told apart from a later one with the same number by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessId {
    pub(super) pid: i32,
    /// Clock ticks after boot, from /proc.
    pub(super) start_ticks: u64,
}

impl ProcessId {
    pub(super) fn of(pid: i32) -> Option<Self> {
        read_stat(pid).map(|stat| stat.id)
    }

    /// Whether this very process still runs.
    pub(super) fn is_alive(self) -> bool {
        read_stat(self.pid).is_some_and(|stat| stat.id == self && !stat.is_dead())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    id: ProcessId,
    state: u8,
    parent: i32,
    group: i32,
    session: i32,
}

/// A living process of a family.
pub(super) struct Member(Stat);

impl Stat {
    fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

fn read_stat(pid: i32) -> Option<Stat> {
    // The name in it is any bytes at all, so this cannot be read as a string.
    parse_stat(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields as in proc_pid_stat(5). The name stands in parentheses and may itself hold some.
fn parse_stat(pid: i32, line: &[u8]) -> Option<Stat> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&line[after_name..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Stat {
        id: ProcessId { pid, start_ticks: fields.get(19)?.parse().ok()? },
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
    })
}

/// All living descendants at this moment. Processes come and go while the list is made, so
/// only a caller that looks again until [`Reaped::childless`] may conclude that none is left.
fn descendants() -> Vec<Stat> {
    below(vec![getpid().as_raw_nonzero().get()], all_processes())
}

fn all_processes() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(read_stat).collect()
}

/// Those of `all` that live and descend from these.
fn below(mut parents: Vec<i32>, all: Vec<Stat>) -> Vec<Stat> {
    let mut by_parent: HashMap<i32, Vec<Stat>> = HashMap::new();
    for stat in all {
        by_parent.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    while let Some(parent) = parents.pop() {
        for stat in by_parent.remove(&parent).unwrap_or_default() {
            parents.push(stat.id.pid);
            found.push(stat);
        }
    }
    found.retain(|stat| !stat.is_dead());
    found
}

/// The session of a process, if that very process lives.
pub(super) fn session_of(process: ProcessId) -> Option<i32> {
    read_stat(process.pid).filter(|stat| stat.id == process).map(|stat| stat.session)
}

/// What lives of a process and its session, with all descendants. A session keeps its number while
/// one of its processes lives, so whoever saw it alive may ask until none is left.
pub(super) fn family_of(process: ProcessId, session: i32) -> Vec<Member> {
    let (kin, others): (Vec<Stat>, Vec<Stat>) =
        all_processes().into_iter().partition(|stat| stat.session == session || stat.id == process);
    let parents = kin.iter().map(|stat| stat.id.pid).collect();
    let living = kin.into_iter().filter(|stat| !stat.is_dead());
    living.chain(below(parents, others)).map(Member).collect()
}

/// Asks each to end.
pub(super) fn terminate(family: &[Member]) {
    family.iter().for_each(|Member(stat)| signal_process(stat.id, Signal::TERM));
}

/// Kills each.
pub(super) fn kill(family: &[Member]) {
    family.iter().for_each(|Member(stat)| signal_process(stat.id, Signal::KILL));
}

/// The number of living descendants.
pub(super) fn count_descendants() -> u32 {
    u32::try_from(descendants().len()).unwrap_or(u32::MAX)
}

/// Asks every descendant to end, each once: many programs take a second TERM as "at once".
pub(super) fn terminate_descendants() {
    for stat in descendants() {
        signal_process(stat.id, Signal::TERM);
    }
}

/// Kills every descendant of this moment. Whole groups first: a group is killed in one step, so
/// a fork storm inside it cannot run away from the loop.
pub(super) fn kill_descendants() {
    let found = descendants();
    let own_group = getpgrp().as_raw_nonzero().get();
    let groups: BTreeSet<i32> = found.iter().map(|stat| stat.group).collect();
    for group in groups.into_iter().filter(|group| *group > 1 && *group != own_group) {
        if let Some(group) = Pid::from_raw(group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    for stat in found {
        signal_process(stat.id, Signal::KILL);
    }
}

/// Signals exactly this process: the pidfd pins it, and only then is its start compared.
fn signal_process(id: ProcessId, signal: Signal) {
    let Some(pid) = Pid::from_raw(id.pid) else { return };
    let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if id.is_alive() {
        let _ = pidfd_send_signal(&pinned, signal);
    }
}

/// What one round of reaping found.
pub(super) struct Reaped {
    /// The status of the awaited process, if it ended in this round.
    pub(super) awaited: Option<WaitStatus>,
    /// No child is left, so no descendant is: each would have an ancestor among our children.
    pub(super) childless: bool,
}

/// Reaps every child that has ended. Only for a process that is ours alone: it would steal the
/// children of a runtime.
pub(super) fn reap(awaited: i32) -> Reaped {
    let mut reaped = Reaped { awaited: None, childless: false };
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == awaited => {
                reaped.awaited = Some(status);
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return reaped,
            // "No child" is the one other error there is.
            Err(_) => {
                reaped.childless = true;
                return reaped;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_made_to_confuse_is_read_past() {
        let line = b"42 (a) R 1 (b\n\xff) S 7 8 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let stat = parse_stat(42, line).unwrap();
        let id = ProcessId { pid: 42, start_ticks: 12345 };
        assert_eq!(stat, Stat { id, state: b'S', parent: 7, group: 8, session: 9 });
    }

    #[test]
    fn cut_lines_are_no_process() {
        for line in [&b""[..], b"42", b"42 (x)", b"42 (x) S 1", b"42 (x) S 1 2 3 4 5"] {
            assert_eq!(parse_stat(42, line), None);
        }
    }

    #[test]
    fn another_start_is_another_process() {
        let me = ProcessId::of(std::process::id().cast_signed()).unwrap();
        assert!(me.is_alive());
        assert!(!ProcessId { start_ticks: me.start_ticks + 1, ..me }.is_alive());
        assert!(!ProcessId { pid: i32::MAX, ..me }.is_alive());
    }
}
