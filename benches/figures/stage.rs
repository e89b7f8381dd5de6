//! What is measured against: the bundled service on a free port, a repository, pipelines.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The binary that is measured.
pub fn andon() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_andon"))
}

/// A folder with a repository of one commit, and pipelines beside it.
pub struct Stage {
    /// The folder; removed at the end.
    pub dir: tempfile::TempDir,
    /// The commit.
    pub revision: String,
}

impl Stage {
    /// Makes the folder and the repository.
    pub fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("andon-bench-").tempdir()?;
        let repo = dir.path().join("chat");
        std::fs::create_dir(&repo)?;
        std::fs::write(repo.join("README.md"), "measured\n")?;
        git(&repo, &["init", "--quiet", "--initial-branch", "main"])?;
        git(&repo, &["add", "."])?;
        commit(&repo, "Begin")?;
        let revision = git(&repo, &["rev-parse", "HEAD"])?;
        Ok(Self { dir, revision })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a pipeline with a no-op deploy and these cases.
    pub fn write_pipeline(&self, name: &str, suite: &str) -> Result<()> {
        let text = format!(
            "version: 1\nname: {name}\nwatch: {{ repo: chat, branches: [main] }}\n\
             deploy: {{ steps: [{{ name: Nothing, run: \"true\" }}] }}\nsuite:\n  name: {name}\n{suite}"
        );
        Ok(std::fs::write(self.path().join(format!("{name}.yaml")), text)?)
    }

    /// Lays out the P1 pipeline of the demo with another concurrency.
    pub fn write_p1(&self, name: &str, concurrency: u32) -> Result<PathBuf> {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
        let dir = self.path().join("pipelines");
        std::fs::create_dir_all(dir.join("suites"))?;
        std::fs::copy(ours.join("suites/p1.yaml"), dir.join("suites/p1.yaml"))?;
        let text = std::fs::read_to_string(ours.join("chat-staging.yaml"))?
            .replace("name: chat-staging", &format!("name: {name}"))
            .replace("concurrency: 8", &format!("concurrency: {concurrency}"));
        let path = dir.join(format!("{name}.yaml"));
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

/// `count` cases of one request and four assertions each.
pub fn request_cases(address: &str, count: usize, delay_ms: u32) -> String {
    let mut text = String::from("  cases:\n");
    for number in 0..count {
        let _ = write!(
            text,
            "    - id: case_{number:05}\n      steps:\n        - http: {{ url: \"http://{address}/bench/json?delay_ms={delay_ms}\" }}\n          \
             expect:\n            status: 200\n            header: {{ content-type: {{ contains: json }} }}\n            \
             json: {{ $.status: ok, $.items: {{ length: 3 }} }}\n"
        );
    }
    text
}

/// `count` cases that each wait for five events on a socket of their own, all at the same time.
pub fn socket_cases(address: &str, count: usize) -> String {
    let mut text = format!("  concurrency: {count}\n  cases:\n");
    for number in 0..count {
        let _ = write!(
            text,
            "    - id: case_{number:05}\n      steps:\n        - ws: {{ url: \"ws://{address}/bench/ws\" }}\n          \
             expect:\n            events:\n              by: $.type\n              within: 10s\n              ordered: true\n              \
             all: [agent_started, agent_thinking, tool_executing, tool_completed, agent_completed]\n"
        );
    }
    text
}

/// The same sockets as one case that runs `count` times side by side.
pub fn parallel_sockets(address: &str, count: usize) -> String {
    format!(
        "  cases:\n    - id: sockets\n      parallel: {{ times: {count}, quorum: {count} }}\n      steps:\n        \
         - ws: {{ url: \"ws://{address}/bench/ws\" }}\n          expect:\n            events:\n              by: $.type\n              \
         within: 10s\n              ordered: true\n              \
         all: [agent_started, agent_thinking, tool_executing, tool_completed, agent_completed]\n"
    )
}

/// The bundled service, until dropped.
pub struct Service {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Service {
    /// Starts it and waits until it listens.
    pub fn start(stage: &Stage, env: &[(&str, &str)]) -> Result<Self> {
        let file = stage.path().join("address");
        let _absent = std::fs::remove_file(&file);
        #[allow(clippy::disallowed_methods)] // The harness is no part of Andon.
        let mut command = Command::new(andon());
        command.args(["demo-service", "--listen", "127.0.0.1:0", "--revision", &stage.revision]);
        command.arg("--address-file").arg(&file).envs(env.iter().copied());
        let mut child =
            command.stderr(Stdio::null()).spawn().context("cannot start the service")?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Ok(address) = std::fs::read_to_string(&file) {
                return Ok(Self { child, address: address.trim().to_owned() });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _gone = child.kill();
        bail!("the bundled service did not begin to listen")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Commits everything, under a name that needs no configuration.
pub fn commit(repo: &Path, message: &str) -> Result<()> {
    let who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"];
    let what = ["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", message];
    git(repo, &[&who[..], &what[..]].concat()).map(drop)
}

/// Runs git and gives back what it printed.
pub fn git(repo: &Path, args: &[&str]) -> Result<String> {
    #[allow(clippy::disallowed_methods)] // The harness is no part of Andon.
    let output =
        Command::new("git").args(args).current_dir(repo).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
