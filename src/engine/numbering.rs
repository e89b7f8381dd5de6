//! Which numbers the files in the report folder have taken already. The records know them, too, unless
//! the state folder was deleted, or the reports came from elsewhere: a report is never changed after its
//! cycle ended, so such a number is not given out again.

use super::report_folder::ReportFolder;
use crate::domain::names::PipelineName;
use crate::store::{Result, Store, Which};

/// A greater number in the name of a file is not believed: anybody may put a file there.
const MAX_BELIEVED: u32 = 1_000_000;

/// The number that the next cycle gets at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeastCycle {
    /// The number.
    pub number: u32,
    /// What a person should know, when the records alone would have given another one.
    pub warning: Option<String>,
}

/// Looks at the records and at the report folder for the number of a pipeline's next cycle.
///
/// # Errors
/// When the store cannot be read.
pub async fn least_cycle(
    store: &dyn Store,
    folder: &ReportFolder,
    pipeline: &PipelineName,
) -> Result<LeastCycle> {
    let highest = highest(folder, pipeline.as_str(), cycle_of);
    let latest = store.find_cycle(pipeline, Which::Latest).await?;
    let known = latest.map_or(0, |row| row.summary.cycle);
    let warning = (highest > known).then(|| {
        let records = match known {
            0 => "the state folder knows no cycle of it".to_owned(),
            _ => format!("the state folder knows cycles up to {known}"),
        };
        format!(
            "there are reports of {pipeline} up to cycle {highest}, and {records}: numbers go on \
             after {highest}, and the old reports are left as they are"
        )
    });
    Ok(LeastCycle { number: highest + 1, warning })
}

/// The number that the next investigation of a pipeline gets at least.
pub(super) fn least_investigation(folder: &ReportFolder, pipeline: &PipelineName) -> u32 {
    highest(folder, &format!("{pipeline}/investigations"), investigation_of) + 1
}

/// The highest number among the files of a folder; 0 when there is none, or no such folder.
fn highest(folder: &ReportFolder, place: &str, number_of: impl Fn(&str) -> Option<u32>) -> u32 {
    if folder.check(place).is_err() {
        return 0;
    }
    let entries = std::fs::read_dir(folder.path_of(place)).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| number_of(entry.file_name().to_str()?));
    numbers.filter(|number| *number <= MAX_BELIEVED).max().unwrap_or(0)
}

/// The cycle whose report a file is, by its name.
pub(super) fn cycle_of(file: &str) -> Option<u32> {
    let (number, kind) = file.strip_prefix("cycle-")?.split_once('.')?;
    matches!(kind, "md" | "json" | "junit.xml").then(|| number.parse().ok()).flatten()
}

fn investigation_of(file: &str) -> Option<u32> {
    let rest = file.strip_suffix(".md")?.strip_prefix("INV-")?;
    rest.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[test]
    fn the_highest_number_among_our_files_counts() {
        let here = tempfile::tempdir().unwrap();
        let folder = ReportFolder::new(here.path(), Path::new("reports"));
        assert_eq!(highest(&folder, "shop", cycle_of), 0, "there is no folder yet");
        let files = ["cycle-0007.md", "cycle-0012.junit.xml", "cycle-99.txt", "cycle-x.md"];
        for file in files.iter().chain(&["cycle-4294967295.md", "INV-0003-a-b.md", "INV-9.txt"]) {
            folder.write(format!("shop/{file}"), b"x").unwrap();
        }
        assert_eq!(highest(&folder, "shop", cycle_of), 12);
        assert_eq!(highest(&folder, "shop", investigation_of), 3);
    }
}
