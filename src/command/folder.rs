//! The folder of one run: the supervisor's records, the results, and what the command is told in files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::domain::spec::Command;

/// A list of more than this is read no further.
const MAX_LIST_BYTES: u64 = 16 << 20;

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

    /// What a `list` printed, as far as it is read.
    pub fn listed(&self) -> String {
        use io::Read as _;
        let mut bytes = Vec::new();
        if let Ok(file) = open_regular(&self.list()) {
            // What cannot be read was not listed; the end of the command says more.
            let _ = file.take(MAX_LIST_BYTES).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
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

/// A `list` whose standard output goes to its file: what it has to say besides goes to its log.
pub fn listing(command: &Command) -> Command {
    match command {
        Command::Shell(text) => Command::Shell(format!("exec >\"$ANDON_LIST_FILE\"\n{text}")),
        Command::Argv(argv) => {
            let script = "exec \"$0\" \"$@\" >\"$ANDON_LIST_FILE\"";
            let wrapped = ["sh", "-c", script].into_iter().map(str::to_owned);
            Command::Argv(wrapped.chain(argv.iter().cloned()).collect())
        }
    }
}
