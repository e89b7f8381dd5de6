//! A folder with a repository, a pipeline and a staging environment, and the program to run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::staging::Staging;

/// The longest that any command may take; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The pipeline of most tests. Its deploy copies the commit into the folder that staging serves.
pub const PIPELINE: &str = r#"version: 1
name: small
environment: staging
vars: { base: "http://ADDRESS", ws_base: "ws://ADDRESS", www: WWW }
watch: { repo: ../chat, poll: off }
deploy:
  steps:
    - name: Copy
      run: |
        echo "deploying $ANDON_SHORT_REVISION"
        test ! -e refuse || exit 9
        rm -rf "$ANDON_VAR_WWW"/*
        cp -R . "$ANDON_VAR_WWW"
        test -e lie || printf %s "$ANDON_REVISION" > "$ANDON_VAR_WWW/version"
ready:
  timeout: 2s
  every: 50ms
  successes: 1
  revision:
    - surface: api
      http: { url: "${base}/version" }
      value: body
suite:
  name: P1
  retries: 0
  cases:
    - id: test_001_health
      name: It is healthy
      area: Service
      impact: Nobody can do anything
      steps: [{ http: { url: "${base}/health" }, expect: { status: 200 } }]
    - id: test_002_chat
      name: Chat answers
      area: Chat
      steps: [{ http: { url: "${base}/chat" }, expect: { status: 200 } }]
"#;

/// What a command did.
#[derive(Debug)]
pub struct Did {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Did {
    /// Checks the exit code, and shows everything when it is another.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "standard output:\n{}\nstandard error:\n{}",
            self.out, self.err
        );
        self
    }

    /// Checks that every one of these stands on standard output.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text), "{text:?} is not in:\n{}", self.out);
        }
        self
    }

    /// Checks that every one of these stands on standard error.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "{text:?} is not in:\n{}", self.err);
        }
        self
    }

    /// Checks that it printed no data.
    #[track_caller]
    pub fn prints_nothing(self) -> Self {
        assert_eq!(self.out, "");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault}:\n{}", self.out))
    }

    /// Each line of standard output as JSON.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Waits for something that happens soon, and fails if it does not.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let give_up = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < give_up, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The place where a test plays.
pub struct Stage {
    folder: tempfile::TempDir,
    staging: Staging,
    repository: git2::Repository,
}

impl Stage {
    /// With the small pipeline and no commit.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("www")).unwrap();
        fs::create_dir_all(folder.path().join("pipelines")).unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        options.initial_head("main");
        let repository = git2::Repository::init_opts(folder.path().join("chat"), &options).unwrap();
        let staging = Staging::start(folder.path().join("www"));
        let stage = Self { folder, staging, repository };
        stage.write_pipeline("small", PIPELINE);
        stage
    }

    /// With a first commit in which everything is well.
    pub fn new() -> Self {
        let stage = Self::empty();
        stage.commit("All is well", &[("health", Some("ok")), ("chat", Some("hello"))]);
        stage
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn address(&self) -> &str {
        &self.staging.address
    }

    /// Writes a pipeline; `ADDRESS` and `WWW` stand for those of the staging environment.
    pub fn write_pipeline(&self, stem: &str, text: &str) -> PathBuf {
        let text = text
            .replace("ADDRESS", &self.staging.address)
            .replace("WWW", &self.path().join("www").display().to_string());
        let file = self.path().join(format!("pipelines/{stem}.yaml"));
        fs::write(&file, text).unwrap();
        file
    }

    /// Commits files (`None` deletes one) and gives back the full id.
    pub fn commit(&self, subject: &str, files: &[(&str, Option<&str>)]) -> String {
        self.commit_by("Ada Brandt", subject, files)
    }

    pub fn commit_by(&self, author: &str, subject: &str, files: &[(&str, Option<&str>)]) -> String {
        let root = self.path().join("chat");
        for (path, text) in files {
            match text {
                Some(text) => fs::write(root.join(path), text).unwrap(),
                None => fs::remove_file(root.join(path)).unwrap(),
            }
        }
        let repo = &self.repository;
        let mut index = repo.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        index.update_all(["*"], None).unwrap();
        index.write().unwrap();
        let tree = repo.find_tree(index.write_tree().unwrap()).unwrap();
        let parent = repo.head().ok().map(|head| head.peel_to_commit().unwrap());
        let at = 1_790_000_000 + parent.as_ref().map_or(0, |p| p.time().seconds() % 1_000 + 1);
        let who = git2::Signature::new(author, "a@example.com", &git2::Time::new(at, 0)).unwrap();
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        repo.commit(Some("HEAD"), &who, &who, subject, &tree, &parents).unwrap().to_string()
    }

    pub fn tag(&self, name: &str) {
        let head = self.repository.head().unwrap().peel_to_commit().unwrap();
        self.repository.tag_lightweight(name, head.as_object(), false).unwrap();
    }

    pub fn branch(&self, name: &str, sha: &str) {
        let commit = self.repository.find_commit(sha.parse().unwrap()).unwrap();
        self.repository.branch(name, &commit, true).unwrap();
    }

    /// The program, in an environment that this test alone controls.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
        command.current_dir(self.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.path());
        command
    }

    /// Runs `andon` with these arguments.
    pub fn andon(&self, args: &[&str]) -> Did {
        let mut command = self.command();
        command.args(args);
        did(command)
    }

    /// The newest cycle as JSON.
    pub fn newest(&self) -> Value {
        self.andon(&["show", "small", "--json"]).ends(0).json()
    }

    /// Three cycles: green, then chat breaks, then it is mended. Gives back their commits.
    pub fn with_history() -> (Self, Vec<String>) {
        let stage = Self::empty();
        let good = stage.commit("All is well", &[("health", Some("ok")), ("chat", Some("hello"))]);
        stage.andon(&["run", "small"]).ends(0);
        let bad = stage.commit("Chat moves", &[("chat", None)]);
        stage.andon(&["run", "small"]).ends(1);
        let mended = stage.commit("Chat is back", &[("chat", Some("hello again"))]);
        stage.andon(&["run", "small"]).ends(0);
        (stage, vec![good, bad, mended])
    }
}

/// Runs a command to its end.
pub fn did(command: Command) -> Did {
    let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap();
    Did {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Starts a command whose standard output the test reads.
pub fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}
