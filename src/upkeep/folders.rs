//! Folders of a cycle beside the database: how large they are, and their removal. Blocking; symbolic
//! links are never followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::UpkeepError;
use crate::engine::StatePaths;
use crate::store::CycleKey;

/// The bytes of everything in a folder, or of a file; 0 when it is not there. What vanishes meanwhile
/// does not count.
pub fn size_of(path: &Path) -> u64 {
    // By hand, and not by recursion: a test may leave folders of any depth.
    let mut total = 0_u64;
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path()));
        } else {
            total = total.saturating_add(metadata.len());
        }
    }
    total
}

/// What a cycle has beside the database: its runs with their logs, and checkouts that were left.
pub(super) fn of_cycle(paths: &StatePaths, cycle: &CycleKey) -> Vec<PathBuf> {
    let mut found = vec![paths.root().join(StatePaths::cycle_runs(&cycle.pipeline, cycle.cycle))];
    let checkouts = paths.checkouts(&cycle.pipeline);
    let prefix = format!("{:04}-", cycle.cycle);
    let entries = fs::read_dir(checkouts).into_iter().flatten().flatten();
    let is_its = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&prefix);
    found.extend(entries.filter(is_its).map(|entry| entry.path()));
    found
}

/// Removes what a cycle has beside the database.
pub(super) fn remove(paths: &StatePaths, cycle: &CycleKey) -> Result<(), UpkeepError> {
    for folder in of_cycle(paths, cycle) {
        match fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(UpkeepError::at("remove", &folder)(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::names::PipelineName;

    #[test]
    fn a_cycle_takes_its_own_folders_along_and_no_others() {
        let state = tempfile::tempdir().unwrap();
        let paths = StatePaths::new(state.path().to_owned());
        let chat = PipelineName::parse("chat").unwrap();
        for folder in ["runs/chat/0001/deploy-01-1", "runs/chat/0010", "checkouts/chat/0001-abc"] {
            fs::create_dir_all(state.path().join(folder)).unwrap();
        }
        fs::write(state.path().join("runs/chat/0001/deploy-01-1/output.log"), "twelve bytes")
            .unwrap();
        std::os::unix::fs::symlink("/", state.path().join("runs/chat/0001/all")).unwrap();
        let cycle = CycleKey::new(chat, 1);
        assert_eq!(size_of(&state.path().join("runs/chat/0001")), 12 + 1);
        remove(&paths, &cycle).unwrap();
        remove(&paths, &cycle).unwrap();
        assert!(!state.path().join("runs/chat/0001").exists());
        assert!(!state.path().join("checkouts/chat/0001-abc").exists());
        assert!(state.path().join("runs/chat/0010").exists());
    }
}
