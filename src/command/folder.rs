//! The folder of one run: the supervisor's records, the results, and what the command is told in files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::listed::{MAX_LISTED, listed_in};
use crate::domain::spec::Command;

/// A list of more than this is not kept, and read no further.
pub(super) const MAX_LIST_BYTES: u64 = 16 << 20;

/// Runs its arguments, keeps the beginning of what they print, and ends with their exit code.
/// A command that prints more is ended by its closed pipe: no list may fill the disk.
const KEEP_LIST: &str = r#"code=$({ { "$0" "$@" 3>&-; echo $? >&3; } | head -c "$ANDON_LIST_BYTES" >"$ANDON_LIST_FILE"; } 3>&1)
exit "$code""#;

/// The folder of one run of a command.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The supervisor's folder within it.
    pub const SUPERVISED: &str = "run";

    /// At this absolute path.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where the supervisor keeps its records.
    pub fn supervised(&self) -> PathBuf {
        self.root.join(Self::SUPERVISED)
    }

    /// Where the command leaves its results: `ANDON_RESULTS`.
    pub fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    /// Where what a `list` prints goes: `ANDON_LIST_FILE`.
    pub fn list(&self) -> PathBuf {
        self.root.join("list.txt")
    }

    /// The failing ids, one a line: `ANDON_RERUN_FILE`.
    pub fn rerun(&self) -> PathBuf {
        self.root.join("rerun.txt")
    }

    /// The ids of a shard, one a line: `ANDON_SHARD_FILE`.
    pub fn shard(&self) -> PathBuf {
        self.root.join("shard.txt")
    }

    /// Makes it anew and empty, for a run that never began. What lies there is of a run whose start was
    /// never recorded.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn prepare(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
            _ => fs::create_dir_all(self.results()),
        }
    }

    /// Writes ids, one a line. A line break within an id would make two of it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_ids<'a>(path: &Path, ids: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        let mut text = String::new();
        for id in ids {
            text.extend(id.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }));
            text.push('\n');
        }
        fs::write(path, text)
    }

    /// What a `list` printed, as far as it is kept. Blocking.
    pub fn listed(&self) -> Printed {
        use io::Read as _;
        let mut bytes = Vec::new();
        if let Ok(file) = open_regular(&self.list()) {
            // What cannot be read was not listed; the end of the command says more.
            let _ = file.take(MAX_LIST_BYTES + 1).read_to_end(&mut bytes);
        }
        let is_cut = bytes.len() as u64 > MAX_LIST_BYTES;
        if is_cut {
            // Half a name is no name.
            bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
        }
        Printed { text: String::from_utf8_lossy(&bytes).into_owned(), is_cut }
    }
}

/// What a `list` printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    /// Its whole lines, as far as they are kept.
    pub text: String,
    /// Whether it printed more than is kept.
    pub is_cut: bool,
}

impl Printed {
    /// Why not all of it is planned, if so.
    pub fn shortened(&self) -> Option<String> {
        if self.is_cut {
            let most = MAX_LIST_BYTES >> 20;
            return Some(format!("is of more than {most} MiB: the rest is not planned"));
        }
        let more = listed_in(&self.text).nth(MAX_LISTED).is_some();
        more.then(|| format!("is of more than {MAX_LISTED} tests: the rest is not planned"))
    }
}

/// Opens a regular file to read it: a pipe that lies in its place would hold whoever opens it, and a link
/// may lead anywhere.
///
/// # Errors
/// When it is something else, or cannot be opened.
pub(super) fn open_regular(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("is no regular file")),
    }
}

/// A `list` whose standard output goes to its file, as far as it is kept: what it has to say besides goes
/// to its log.
pub fn listing(command: &Command) -> Command {
    let argv = match command {
        Command::Shell(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
        Command::Argv(argv) => argv.clone(),
    };
    let keeping = ["/bin/sh", "-c", KEEP_LIST].into_iter().map(str::to_owned);
    Command::Argv(keeping.chain(argv).collect())
}

/// What [`listing`] needs to know besides `ANDON_LIST_FILE`: one byte more than is kept shows that there
/// were more.
pub fn list_limit() -> (&'static str, String) {
    ("ANDON_LIST_BYTES", (MAX_LIST_BYTES + 1).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;

    /// Runs a `list`; gives back its exit code and what is kept of what it printed.
    fn run(command: &Command) -> (Option<i32>, Printed) {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(dir.path().to_owned());
        let Command::Argv(argv) = listing(command) else { panic!("it is wrapped") };
        let status = std::process::Command::new(&argv[0])
            .args(&argv[1..])
            .env("ANDON_LIST_FILE", folder.list())
            .envs([list_limit()])
            .status()
            .unwrap();
        (status.code(), folder.listed())
    }

    #[test]
    fn a_list_is_kept_with_the_exit_code_of_its_command() {
        let shell = Command::Shell("printf 'a\nb c\n'; exit 3".to_owned());
        let (code, printed) = run(&shell);
        assert_eq!((code, printed.text.as_str()), (Some(3), "a\nb c\n"));
        let argv = ["printf", "%s\n", "it's", "$HOME"].map(str::to_owned).to_vec();
        let (code, printed) = run(&Command::Argv(argv));
        assert_eq!((code, printed.text.as_str()), (Some(0), "it's\n$HOME\n"));
        assert_eq!(printed.shortened(), None);
    }

    /// It would go on for ever, and take the disk with it.
    #[test]
    fn a_list_without_an_end_is_cut() {
        let (code, printed) = run(&Command::Shell("yes tests/test_a.py::test_x".to_owned()));
        assert!(printed.is_cut && code != Some(0));
        assert!(printed.text.len() as u64 <= MAX_LIST_BYTES);
        assert!(printed.text.lines().all(|line| line == "tests/test_a.py::test_x"));
        let why = printed.shortened().unwrap();
        assert_eq!(why, "is of more than 16 MiB: the rest is not planned");
    }
}
