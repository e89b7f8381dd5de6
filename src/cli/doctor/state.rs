//! What `doctor` says of the state folder: who may read it, how large it is, what is left of the disk,
//! and how much of the past is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Finding, finding, trouble};
use crate::cli::output::{counted, size};
use crate::cli::settings::Settings;
use crate::daemon::is_served;
use crate::domain::retention::{Limits, PipelineHistory};
use crate::room::{self, Facts, Standing, Write};
use crate::store::sqlite::FILE_NAME;
use crate::store::{Store, StoreError};
use crate::upkeep::{Ballast, disk_space, size_of};

/// What a pass of `andon prune` may write before it has made room.
const TO_PRUNE: u64 = 1 << 20;

/// The folder, its disk and its ballast.
pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let root = &settings.state;
    if !root.is_dir() {
        return vec![finding("state", format!("{} does not exist yet", root.display()))];
    }
    let mut findings = vec![folder(root), disk(root, settings.daemon.ballast)];
    findings.extend(settings.daemon.ballast.map(|bytes| ballast(root, bytes)));
    findings
}

fn folder(root: &Path) -> Finding {
    let place = root.display();
    let open_to_others = |path: &Path| {
        let mode = fs::symlink_metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    };
    if let Some(mode) = open_to_others(root) {
        return trouble(
            "state",
            format!("{place} may be read by others (mode {mode:o})"),
            "chmod 700: logs and checkouts are kept there",
        );
    }
    let database = root.join(FILE_NAME);
    if let Some(mode) = open_to_others(&database) {
        return trouble(
            "state",
            format!("{} may be read by others (mode {mode:o})", database.display()),
            "chmod 600: it holds what tests saw",
        );
    }
    finding("state", format!("{place}, for its owner alone; {}", size(size_of(root))))
}

fn disk(root: &Path, ballast: Option<u64>) -> Finding {
    let Some(space) = disk_space(root) else {
        return finding("disk", "it does not say what is free");
    };
    let free = format!("{} free", size(space.free));
    if space.is_read_only {
        return trouble("disk", "it takes no writing", "mount it for writing");
    }
    let held = ballast.map(|bytes| Ballast::new(root, bytes));
    let facts = Facts {
        is_read_only: false,
        free: Some(space.free),
        write: Write::NotTried,
        ballast: held.map(|it| room::Ballast { size: it.size(), is_held: it.is_held() }),
    };
    match room::judge(Standing::Enough, &facts) {
        (Standing::Enough, _) => finding("disk", free),
        (Standing::Short(_), _) => {
            let help = advice(root, space.free, &facts);
            trouble("disk", format!("{free}: no cycle begins"), help)
        }
    }
}

/// What makes room. To note what expires takes a little of it.
fn advice(root: &Path, free: u64, facts: &Facts) -> String {
    let place = format!("free some space on the disk of {}", root.display());
    if facts.ballast.is_some_and(|ballast| ballast.is_held) {
        format!(
            "{place}; `andon prune` works there, too, and gives up the ballast if it must: lower `retention` before"
        )
    } else if free < TO_PRUNE {
        format!(
            "{place}: without {} of it nothing can be noted, and `andon prune` cannot make room either",
            size(TO_PRUNE)
        )
    } else {
        format!("{place}, or lower `retention` and run `andon prune`")
    }
}

fn ballast(root: &Path, bytes: u64) -> Finding {
    let ballast = Ballast::new(root, bytes);
    let text = size(bytes);
    match (ballast.is_held(), is_served(root)) {
        (true, _) => finding("ballast", format!("{text} held ready for a full disk")),
        (false, true) => trouble(
            "ballast",
            format!("{text} could not be held ready for a full disk"),
            "free some space; the daemon takes it by itself",
        ),
        (false, false) => finding("ballast", format!("{text}, when a daemon runs")),
    }
}

/// How much of the past is kept, and since when.
pub(super) async fn retention(store: &dyn Store, limits: &Limits) -> Finding {
    match store.retention_histories(jiff::Timestamp::MAX).await {
        Ok(histories) => finding("retention", format!("{}; {}", words(limits), kept(&histories))),
        Err(fault) => unreadable(&fault),
    }
}

fn unreadable(fault: &StoreError) -> Finding {
    trouble("retention", fault.to_string(), fault.hint().unwrap_or_default())
}

fn words(limits: &Limits) -> String {
    let days = limits.days.map(|days| counted(days as usize, "day"));
    let cycles = limits.cycles.map(|cycles| format!("{cycles} of a pipeline"));
    let bytes = limits.bytes.map(size);
    let all: Vec<String> = [days, cycles, bytes].into_iter().flatten().collect();
    if all.is_empty() {
        "without a limit".to_owned()
    } else {
        format!("at most {}", all.join(", "))
    }
}

fn kept(histories: &[PipelineHistory]) -> String {
    let cycles = || histories.iter().flat_map(|history| history.kept.iter());
    let ended = histories.iter().flat_map(|history| {
        let over = |cycle: &crate::domain::retention::KeptCycle| {
            Some((cycle.finished_at?, &history.pipeline, cycle.cycle))
        };
        history.kept.iter().filter_map(over).collect::<Vec<_>>()
    });
    let count = counted(cycles().count(), "cycle");
    match ended.min() {
        Some((at, pipeline, cycle)) => {
            let day = at.strftime("%F");
            format!("{count} kept, the oldest is cycle {cycle} of {pipeline}, over on {day}")
        }
        None => format!("{count} kept"),
    }
}
