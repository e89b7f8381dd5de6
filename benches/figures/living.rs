//! A daemon that lives while it is measured from outside, and the processes that it leads to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::stage;

/// Signs the webhooks of the figures.
const SECRET: &str = "the secret of the figures";
/// Nothing that is measured may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with pipelines and a repository for each, for one daemon.
pub struct Estate {
    dir: tempfile::TempDir,
}

impl Estate {
    /// An empty one, which is removed at the end.
    pub fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("andon-bench-").tempdir()?;
        std::fs::create_dir(dir.path().join("pipelines"))?;
        let settings = "webhooks: { generic: { env: BENCH_SECRET } }\n";
        std::fs::write(dir.path().join("andon.yaml"), settings)?;
        Ok(Self { dir })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Adds a pipeline that watches a repository of its own with one commit. `rest` is what follows
    /// `watch`.
    pub fn add(&self, name: &str, poll: &str, rest: &str) -> Result<()> {
        let repo = self.repo(name);
        let text = format!(
            "version: 1\nname: {name}\nwatch: {{ repo: ../repos/{name}, branches: [main], poll: {poll}, settle: 0s }}\n{rest}"
        );
        std::fs::write(self.path().join(format!("pipelines/{name}.yaml")), text)?;
        let mut options = git2::RepositoryInitOptions::new();
        git2::Repository::init_opts(&repo, options.initial_head("main"))?;
        self.commit(name).map(drop)
    }

    /// Adds a commit to the repository of a pipeline; its id.
    pub fn commit(&self, name: &str) -> Result<String> {
        let repo = git2::Repository::open(self.repo(name))?;
        let author = git2::Signature::now("bench", "bench@example.com")?;
        let parent = repo.head().ok().and_then(|head| head.peel_to_commit().ok());
        let number = parent.as_ref().map_or(0, |parent| parent.time().seconds());
        let text = repo.blob(format!("{number} {:?}\n", Instant::now()).as_bytes())?;
        let mut files = repo.treebuilder(None)?;
        files.insert("README.md", text, 0o100_644)?;
        let tree = repo.find_tree(files.write()?)?;
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let made = repo.commit(Some("HEAD"), &author, &author, "One more", &tree, &parents)?;
        Ok(made.to_string())
    }

    fn repo(&self, name: &str) -> PathBuf {
        self.path().join("repos").join(name)
    }
}

/// A daemon, until dropped.
pub struct Living {
    child: Child,
    address: String,
    said: PathBuf,
    /// From its start to its first answer.
    pub served_after: Duration,
}

impl Living {
    /// Starts a daemon and waits for its first answer.
    pub fn start(estate: &Estate, env: &[(&str, &str)]) -> Result<Self> {
        // Free again once it is known; the daemon takes it at once.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let said = estate.path().join("said.txt");
        let mut command = Command::new(stage::andon());
        command.args(["daemon", "--state", "state", "--listen", &address]);
        command.current_dir(estate.path()).envs(env.iter().copied()).env("BENCH_SECRET", SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&said)?);
        let started = Instant::now();
        let child = command.spawn().context("cannot start the daemon")?;
        let mut living = Self { child, address, said, served_after: Duration::ZERO };
        until("the daemon answers", Duration::from_micros(200), || {
            Ok(living.client().is_ok_and(|mut client| client.get("/healthz").is_ok()))
        })?;
        living.served_after = started.elapsed();
        Ok(living)
    }

    /// A connection of its own.
    pub fn client(&self) -> Result<Client> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client { stream: BufReader::new(stream), host: self.address.clone() })
    }

    /// Waits until each of so many pipelines was looked at, and nothing runs or waits.
    pub fn settle(&self, pipelines: usize) -> Result<()> {
        let mut client = self.client()?;
        until("it comes to rest", Duration::from_millis(20), || {
            let status = client.get("/api/v1/status")?.body;
            let status: serde_json::Value = serde_json::from_slice(&status)?;
            let all = status["pipelines"].as_array().context("it tells of its pipelines")?;
            let rests = |one: &serde_json::Value| {
                one["state"] == "idle" && one["watching"]["last_good_at"].is_string()
            };
            if all.len() != pipelines {
                bail!(
                    "{} of {pipelines} pipelines are served; see {}",
                    all.len(),
                    self.said.display()
                );
            }
            Ok(all.iter().all(rests))
        })
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A connection that is kept.
pub struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

/// What came back.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// Asks for a page, which must be there.
    pub fn get(&mut self, path: &str) -> Result<Reply> {
        let reply = self.send(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host))?;
        if reply.status == 200 {
            return Ok(reply);
        }
        bail!("{path}: {} {}", reply.status, String::from_utf8_lossy(&reply.body))
    }

    /// Asks for a page as a browser does, compressed; the body is what was sent.
    pub fn get_compressed(&mut self, path: &str) -> Result<Reply> {
        let reply = self.send(&format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\naccept-encoding: gzip\r\n\r\n",
            self.host
        ))?;
        if reply.status == 200 { Ok(reply) } else { bail!("{path}: {}", reply.status) }
    }

    /// Asks for a cycle.
    pub fn trigger(&mut self, pipeline: &str) -> Result<()> {
        let path = format!("/api/v1/pipelines/{pipeline}/trigger");
        let reply = self.post(&path, "{}", "")?;
        if reply.status == 202 { Ok(()) } else { bail!("{path}: {}", reply.status) }
    }

    /// A webhook for a pipeline, signed with our secret; the status.
    pub fn hook(&mut self, pipeline: &str) -> Result<u16> {
        self.hook_signed_with(pipeline, SECRET)
    }

    /// A webhook for a pipeline, signed with any secret; the status.
    pub fn hook_signed_with(&mut self, pipeline: &str, secret: &str) -> Result<u16> {
        let body =
            r#"{"repository":"https://git.example.com/acme/chat.git","ref":"refs/heads/main"}"#;
        let mut signed = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
        signed.update(body.as_bytes());
        let signature = hex::encode(signed.finalize().into_bytes());
        let header = format!("x-andon-signature: sha256={signature}\r\n");
        Ok(self.post(&format!("/hooks/generic/{pipeline}"), body, &header)?.status)
    }

    fn post(&mut self, path: &str, body: &str, headers: &str) -> Result<Reply> {
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.host,
            body.len()
        ))
    }

    fn send(&mut self, request: &str) -> Result<Reply> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no answer: {line:?}"))?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            let header = line.to_ascii_lowercase();
            is_chunked |= header.starts_with("transfer-encoding: chunked");
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            self.read_chunks(&mut body)?;
        } else {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
        }
        Ok(Reply { status, body })
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim(), 16).context("a chunk has a length")?;
            let begin = body.len();
            body.resize(begin + length, 0);
            self.stream.read_exact(&mut body[begin..])?;
            line.clear();
            self.stream.read_line(&mut line)?;
            if length == 0 {
                return Ok(());
            }
        }
    }
}

/// A process as the kernel sees it.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// Processes with a folder in their arguments, behind these words.
    pub fn of(begin: &str, folder: &Path) -> Vec<Self> {
        all_processes(|pid| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            words.starts_with(begin) && words.contains(&folder.display().to_string())
        })
    }

    /// Processes that work somewhere below a folder.
    pub fn working_in(folder: &Path) -> Vec<Self> {
        all_processes(|pid| {
            std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
        })
    }

    /// What is resident of it now, in MiB; 0 when it is gone.
    pub fn resident_mib(self) -> f64 {
        self.status_mib("VmRSS:")
    }

    /// The most that was resident of it, in MiB; 0 when it is gone.
    pub fn peak_mib(self) -> f64 {
        self.status_mib("VmHWM:")
    }

    fn status_mib(self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kib.map_or(0.0, |kib: f64| kib / 1024.0)
    }

    /// Its time on a processor so far, to 10 ms, without that of its children.
    pub fn cpu(self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        // Behind the name, which may hold anything: state is the first, user and system time follow.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        Duration::from_millis(10 * ticks.sum::<u64>())
    }
}

fn all_processes(is: impl Fn(u32) -> bool) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is(*pid)).map(Process).collect()
}

/// Waits for something that happens soon.
pub fn until(
    what: &str,
    every: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let give_up = Instant::now() + PATIENCE;
    while !condition()? {
        if Instant::now() > give_up {
            bail!("waited in vain: {what}");
        }
        std::thread::sleep(every);
    }
    Ok(())
}
