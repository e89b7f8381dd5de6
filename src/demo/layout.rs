//! Lays the demo out: a repository, the pipeline, and what a person needs to go on by hand.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Commit, DemoError};

/// Ends the service that the last deploy left running, and no other process that got its number since.
const STOP: &str = r#"#!/bin/sh
# Ends the staging service that again.sh leaves running.
set -eu
cd "$(dirname "$0")"
pid=$(cat staging/service.pid 2>/dev/null || true)
if [ -n "$pid" ] && grep -q demo-service "/proc/$pid/cmdline" 2>/dev/null; then
    kill "$pid"
    echo "the staging service (process $pid) ends"
else
    echo "no staging service of this demo runs"
fi
"#;

const PIPELINE: &str = include_str!("../../pipelines/chat-staging.yaml");
const SUITE: &str = include_str!("../../pipelines/suites/p1.yaml");

/// A demo folder.
#[derive(Debug)]
pub struct Layout {
    dir: PathBuf,
    environment: Vec<(&'static str, String)>,
}

/// Makes the folder with everything but commits. `listen` and `control` are free addresses on this machine, `andon`
/// is this program.
///
/// # Errors
/// When the folder is not empty or cannot be written to.
pub fn create(dir: &Path, andon: &Path, listen: &str, control: &str) -> Result<Layout, DemoError> {
    let mut entries = fs::read_dir(dir).into_iter().flatten();
    if entries.next().is_some() {
        return Err(DemoError::NotEmpty(dir.to_owned()));
    }
    make_dir(dir)?;
    let dir = fs::canonicalize(dir)
        .map_err(|source| DemoError::Write { path: dir.to_owned(), source })?;
    write(&dir.join("pipelines/chat-staging.yaml"), PIPELINE, 0o644)?;
    write(&dir.join("pipelines/suites/p1.yaml"), SUITE, 0o644)?;
    let key = || uuid::Uuid::new_v4().simple().to_string();
    let run_dir = dir.join("staging");
    make_dir(&run_dir)?;
    let environment = vec![
        ("CHAT_STAGING_LISTEN", listen.to_owned()),
        ("CHAT_STAGING_CONTROL", control.to_owned()),
        ("CHAT_STAGING_BIN", format!("{} demo-service", andon.display())),
        ("CHAT_STAGING_RUN_DIR", run_dir.display().to_string()),
        ("CHAT_JWT_KEY", key()),
        ("CHAT_BYPASS_KEY", key()),
    ];
    let layout = Layout { dir, environment };
    layout.write_scripts(andon)?;
    let mut options = git2::RepositoryInitOptions::new();
    git2::Repository::init_opts(layout.repository(), options.initial_head("main"))?;
    Ok(layout)
}

impl Layout {
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The pipeline's file.
    pub fn pipeline(&self) -> PathBuf {
        self.dir.join("pipelines/chat-staging.yaml")
    }

    /// The repository that the pipeline watches.
    pub fn repository(&self) -> PathBuf {
        self.dir.join("chat")
    }

    /// The file in which the deploy script keeps the number of the service's process.
    pub fn pid_file(&self) -> PathBuf {
        self.dir.join("staging/service.pid")
    }

    /// What the pipeline reads from the environment.
    pub fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }

    /// Makes a commit on `main`, as of `seconds` since 1970.
    ///
    /// # Errors
    /// When a file cannot be written or git refuses.
    pub fn commit(&self, commit: &Commit, seconds: i64) -> Result<(), DemoError> {
        let root = self.repository();
        for (path, text, executable) in &commit.writes {
            write(&root.join(path), text, if *executable { 0o755 } else { 0o644 })?;
        }
        for path in &commit.touches {
            let file = root.join(path);
            let before = fs::read_to_string(&file).unwrap_or_default();
            write(&file, &format!("{before}# {}\n", commit.subject), 0o644)?;
        }
        let repository = git2::Repository::open(&root)?;
        let mut index = repository.index()?;
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
        index.write()?;
        let tree = repository.find_tree(index.write_tree()?)?;
        let time = git2::Time::new(seconds, 0);
        let author = git2::Signature::new(&commit.author, &commit.email, &time)?;
        let parent = repository.head().ok().map(|head| head.peel_to_commit()).transpose()?;
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        repository.commit(Some("HEAD"), &author, &author, &commit.subject, &tree, &parents)?;
        Ok(())
    }

    fn write_scripts(&self, andon: &Path) -> Result<(), DemoError> {
        use std::fmt::Write as _;
        let mut exports =
            String::from("# What pipelines/chat-staging.yaml reads from the environment.\n");
        for (name, value) in &self.environment {
            let quoted = value.replace('\'', r"'\''");
            writeln!(exports, "export {name}='{quoted}'").expect("a string takes everything");
        }
        write(&self.dir.join("staging.env"), &exports, 0o600)?;
        let again = format!(
            r#"#!/bin/sh
# Runs the loop once more over what is committed in chat/: change something there, commit it, and see it named.
# Arguments go to `andon run`, for example --only 'test_00*'.
set -eu
cd "$(dirname "$0")"
. ./staging.env
andon='{andon}'
"$andon" demo-service --listen "$CHAT_STAGING_CONTROL" --address-file staging/control.address &
control=$!
trap 'kill "$control"' EXIT
"$andon" run pipelines/chat-staging.yaml "$@"
"#,
            andon = andon.display().to_string().replace('\'', r"'\''"),
        );
        write(&self.dir.join("again.sh"), &again, 0o755)?;
        write(&self.dir.join("stop.sh"), STOP, 0o755)
    }
}

fn make_dir(path: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(path).map_err(|source| DemoError::Write { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), DemoError> {
    let fault = |source| DemoError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(mode).open(path).map_err(fault)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(fault)?;
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(fault)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::demo::history;

    #[test]
    fn the_layout_has_a_repository_with_the_whole_history() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("demo");
        let layout = create(&dir, Path::new("/bin/andon"), "127.0.0.1:1", "127.0.0.1:2").unwrap();
        for (n, commit) in (0..).zip(history().unwrap()) {
            layout.commit(&commit, 1_780_000_000 + n).unwrap();
        }
        let repository = git2::Repository::open(layout.repository()).unwrap();
        let mut walk = repository.revwalk().unwrap();
        walk.push_head().unwrap();
        assert_eq!(walk.count(), history().unwrap().len());
        let script = layout.repository().join("deploy/staging.sh");
        assert_eq!(fs::metadata(script).unwrap().permissions().mode() & 0o777, 0o755);
        let secrets = fs::metadata(dir.join("staging.env")).unwrap().permissions().mode();
        assert_eq!(secrets & 0o777, 0o600);
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "x").unwrap();
        let fault = create(folder.path(), Path::new("a"), "b", "c").unwrap_err();
        assert!(matches!(fault, DemoError::NotEmpty(_)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
