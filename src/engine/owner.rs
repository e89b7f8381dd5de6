//! Which process holds an environment, and whether it still lives.
//!
//! A process is its id, its start time and the boot it belongs to; so an id that was given out again
//! is never taken for the process that had it before.

use std::fs;

use crate::domain::names::EnvironmentName;
use crate::store::{Holder, Liveness, Owner};

/// This very process.
pub fn this_process() -> Owner {
    let pid = std::process::id();
    Owner {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        boot_id: boot_id(),
        pid,
        started: started_at(pid).unwrap_or_default(),
    }
}

/// Whether an owner is still there, as far as this machine can tell.
pub(super) fn judge(owner: &Owner) -> Liveness {
    if owner.boot_id != boot_id() {
        let same_host = *rustix::system::uname().nodename().to_string_lossy() == owner.host;
        // The same machine after a reboot: nothing of before lives. Another machine: who knows.
        return if same_host { Liveness::Dead } else { Liveness::Unknown };
    }
    match started_at(owner.pid) {
        Some(started) if started == owner.started => Liveness::Alive,
        Some(_) | None => Liveness::Dead,
    }
}

/// Whether the process that a token of [`process_token`] names is still there.
pub fn is_alive(token: &str) -> bool {
    let mut parts = token.splitn(4, ' ');
    let (Some(pid), Some(started), Some(boot_id), Some(host)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Ok(pid) = pid.parse() else { return false };
    let owner = Owner {
        host: host.to_owned(),
        boot_id: boot_id.to_owned(),
        pid,
        started: started.to_owned(),
    };
    judge(&owner) != Liveness::Dead
}

/// Whether an owner lives, or may live on another machine.
pub fn is_owner_alive(owner: &Owner) -> bool {
    judge(owner) != Liveness::Dead
}

/// This very process as one text.
pub fn process_token() -> String {
    token(&this_process())
}

/// A process as one text.
fn token(owner: &Owner) -> String {
    format!("{} {} {} {}", owner.pid, owner.started, owner.boot_id, owner.host)
}

pub(super) fn busy_sentence(environment: &EnvironmentName, holder: &Holder) -> String {
    let what =
        holder.cycle.as_ref().map_or_else(|| "another cycle".to_owned(), ToString::to_string);
    let Owner { pid, host, .. } = &holder.owner;
    format!("environment {environment} is busy with {what} (process {pid} on {host}); waiting")
}

fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// When a process started, in clock ticks since the boot: field 22 of its `stat` (proc(5)); `None`
/// when there is no such process, or only its zombie.
fn started_at(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command's name in parentheses and may hold anything.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| started.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_process_lives_and_another_with_its_id_does_not() {
        let me = this_process();
        assert_eq!(judge(&me), Liveness::Alive);
        assert!(is_alive(&token(&me)));
        let earlier = Owner { started: "1".to_owned(), ..me.clone() };
        assert_eq!(judge(&earlier), Liveness::Dead);
        assert!(!is_alive(&token(&earlier)));
        let before_reboot = Owner { boot_id: "x".to_owned(), ..me.clone() };
        assert_eq!(judge(&before_reboot), Liveness::Dead);
        let elsewhere = Owner { boot_id: "x".to_owned(), host: "other".to_owned(), ..me };
        assert_eq!(judge(&elsewhere), Liveness::Unknown);
        assert!(!is_alive("nonsense"));
    }
}
