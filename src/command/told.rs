//! What a run of a command is told by its environment, beside what a deploy step is told.

use super::folder::{RunFolder, list_limit};
use crate::domain::event::CommandPart;
use crate::domain::spec::SuiteCommand;

/// The command's own variables, and where its results and lists are. A shard is its number, and of how many.
pub fn told(
    command: &SuiteCommand,
    part: CommandPart,
    shard: Option<(u32, u32)>,
    folder: &RunFolder,
) -> Vec<(String, String)> {
    let mut all = command.env.clone();
    let mut set = |name: &str, value: String| all.push((name.to_owned(), value));
    let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    set("ANDON_RESULTS", path(folder.results()));
    match part {
        CommandPart::List => {
            set("ANDON_LIST_FILE", path(folder.list()));
            let (name, most) = list_limit();
            set(name, most);
        }
        CommandPart::Rerun => set("ANDON_RERUN_FILE", path(folder.rerun())),
        CommandPart::Tests => {}
    }
    if let Some((number, of)) = shard {
        set("ANDON_SHARD", number.to_string());
        set("ANDON_SHARDS", of.to_string());
        set("ANDON_SHARD_FILE", path(folder.shard()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing;

    #[test]
    fn each_part_is_told_where_its_files_are() {
        let folder = RunFolder::at("/x".into());
        let mut command = testing::command();
        command.env = vec![("OWN".to_owned(), "1".to_owned())];
        let names = |part, shard| -> Vec<String> {
            told(&command, part, shard, &folder).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(CommandPart::Tests, None), ["OWN", "ANDON_RESULTS"]);
        assert_eq!(
            names(CommandPart::List, None),
            ["OWN", "ANDON_RESULTS", "ANDON_LIST_FILE", "ANDON_LIST_BYTES"]
        );
        assert_eq!(names(CommandPart::Rerun, None), ["OWN", "ANDON_RESULTS", "ANDON_RERUN_FILE"]);
        assert_eq!(
            names(CommandPart::Tests, Some((1, 2))),
            ["OWN", "ANDON_RESULTS", "ANDON_SHARD", "ANDON_SHARDS", "ANDON_SHARD_FILE"]
        );
    }
}
