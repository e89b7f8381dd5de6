//! A place of its own for one test: a working directory, a repository, a staging, an environment.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use super::program::{Done, Running, alive, kill, until};
use super::stage::Stage;

/// The first commit's time; each later one is a minute younger.
const FIRST_COMMIT_AT: i64 = 1_780_000_000;
/// Stands in for a real secret, and must be seen nowhere.
pub(crate) const CANARY: &str = "canary-7Qx+/key=9vZ";

/// Files of a commit: path, text, whether it may be executed.
pub(crate) type CommitFiles = Vec<(String, String, bool)>;

pub(crate) struct Place {
    folder: TempDir,
    stage: Stage,
    env: Vec<(String, String)>,
    commits: Vec<String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("andon-test-").tempdir().unwrap();
        let stage = Stage::new(folder.path().join("stage"));
        let mut options = git2::RepositoryInitOptions::new();
        git2::Repository::init_opts(folder.path().join("repo"), options.initial_head("main"))
            .unwrap();
        let path = std::env::var("PATH").unwrap();
        let service = format!("{} demo-service", env!("CARGO_BIN_EXE_andon"));
        let run_dir = folder.path().join("stage").display().to_string();
        let env = [
            ("PATH", path),
            ("HOME", folder.path().display().to_string()),
            ("USER", "ada".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("STAGE_DIR", run_dir.clone()),
            ("STAGE_ADDRESS", stage.address()),
            ("CANARY", CANARY.to_owned()),
            // For pipelines whose staging is the bundled chat service.
            ("CHAT_STAGING_LISTEN", free_address()),
            ("CHAT_STAGING_CONTROL", stage.address()),
            ("CHAT_STAGING_BIN", service),
            ("CHAT_STAGING_RUN_DIR", run_dir),
            ("CHAT_JWT_KEY", CANARY.to_owned()),
            ("CHAT_BYPASS_KEY", "bypass-for-tests".to_owned()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { folder, stage, env, commits: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The ids of the commits made so far, oldest first.
    pub(crate) fn commits(&self) -> &[String] {
        &self.commits
    }

    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn file(&self, relative: &str) -> PathBuf {
        self.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.file(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        let path = self.file(relative);
        fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{fault}: {}", path.display()))
    }

    /// The one file that a path with `*` at its end means.
    pub(crate) fn find(&self, relative: &str) -> String {
        let Some(begin) = relative.strip_suffix('*') else { return relative.to_owned() };
        let (folder, begin) = begin.rsplit_once('/').unwrap();
        let names = fs::read_dir(self.file(folder)).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let name = names.find(|name| name.starts_with(begin));
        format!("{folder}/{}", name.unwrap_or_else(|| panic!("no {relative}")))
    }

    /// Commits these files on `main` and gives the commit's id.
    pub(crate) fn commit(&mut self, subject: &str, files: &CommitFiles) -> String {
        for (path, text, executable) in files {
            let relative = format!("repo/{path}");
            self.write(&relative, text);
            let mode = if *executable { 0o755 } else { 0o644 };
            fs::set_permissions(self.file(&relative), fs::Permissions::from_mode(mode)).unwrap();
        }
        let repository = git2::Repository::open(self.file("repo")).unwrap();
        let mut index = repository.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        index.write().unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let seconds = FIRST_COMMIT_AT + 60 * i64::try_from(self.commits.len()).unwrap();
        let time = git2::Time::new(seconds, 0);
        let author = git2::Signature::new("Ada Brandt", "ada@example.com", &time).unwrap();
        let parent = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let made = repository.commit(Some("HEAD"), &author, &author, subject, &tree, &parents);
        let sha = made.unwrap().to_string();
        self.commits.push(sha.clone());
        sha
    }

    /// Starts `andon` here.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Running::start(&args, self.path(), &self.env, &self.file("logs"))
    }

    /// Starts `andon` here by way of another program, which becomes it.
    pub(crate) fn start_within(&self, within: &[&str], args: &[&str]) -> Running {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Running::start_within(within, &args, self.path(), &self.env, &self.file("logs"))
    }

    /// Runs `andon` here to its end.
    pub(crate) fn andon(&self, args: &[&str]) -> Done {
        self.start(args).wait()
    }

    /// Every file under a folder of this place.
    pub(crate) fn files_under(&self, relative: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.file(relative)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Place {
    /// Ends the bundled service that a deploy script left running.
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.file("stage/service.pid"));
        let Some(pid) = pid.ok().and_then(|text| text.trim().parse().ok()) else { return };
        let ours = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let folder = self.path().display().to_string();
        if String::from_utf8_lossy(&ours).contains(&folder) {
            kill(pid, Signal::TERM);
            if !std::thread::panicking() {
                until("the service ends", || !alive(pid));
            }
        }
    }
}

/// A free address. It is free again once this returns; a service takes it soon.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
