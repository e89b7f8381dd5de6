//! The service as a program: arguments, settings file, signals. The only place that reads the environment.

use super::config::Config;
use super::server::serve;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
usage: chat-staging --listen ADDRESS [--config FILE.yaml] [--revision SHA] [--address-file FILE]

  --listen ADDRESS     where to listen, for example 127.0.0.1:7171; port 0 takes a free one
  --config FILE.yaml   settings and faults; without it the service is healthy and honest
  --revision SHA       the commit that was deployed
  --address-file FILE  gets the address once the service listens

CHAT_JWT_KEY verifies tokens, CHAT_BYPASS_KEY guards the token mint; without them all are refused.
";
const MAX_CONFIG: u64 = 64 * 1024;
/// Connections that wait to be accepted; the kernel may allow fewer.
const MAX_WAITING: u32 = 4_096;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] io::Error),
    #[error("{0} is not a settings file: {1}")]
    Config(PathBuf, String),
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    #[error("cannot write {0}")]
    Write(PathBuf, #[source] io::Error),
    #[error("cannot run")]
    Run(#[source] io::Error),
}

struct Arguments {
    listen: SocketAddr,
    config: Option<PathBuf>,
    revision: Option<String>,
    address_file: Option<PathBuf>,
}

/// Runs the service with these arguments (without the program's name) until SIGTERM or SIGINT.
///
/// Blocks, and makes its own runtime: call it from outside of one. Exits with 2 for wrong arguments or settings,
/// with 1 when it cannot listen.
pub fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            match failure {
                Failure::Usage(_) | Failure::Config(..) | Failure::Read(..) => ExitCode::from(2),
                Failure::Listen(..) | Failure::Write(..) | Failure::Run(_) => ExitCode::from(1),
            }
        }
    }
}

fn report(failure: &Failure) {
    let cause =
        std::error::Error::source(failure).map_or(String::new(), |cause| format!(": {cause}"));
    let usage = if matches!(failure, Failure::Usage(_)) { USAGE } else { "" };
    // When even that cannot be written, the exit code has to do.
    let _ = writeln!(io::stderr(), "chat-staging: {failure}{cause}\n{usage}");
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Arguments, Failure> {
    let mut args = args.into_iter();
    let (mut listen, mut config, mut revision, mut address_file) = (None, None, None, None);
    while let Some(flag) = args.next() {
        let flag = flag.to_string_lossy().into_owned();
        let mut value =
            || args.next().ok_or_else(|| Failure::Usage(format!("{flag} needs a value")));
        match flag.as_str() {
            "--listen" => listen = Some(parse_address(&value()?)?),
            "--config" => config = Some(PathBuf::from(value()?)),
            "--revision" => revision = Some(value()?.to_string_lossy().into_owned()),
            "--address-file" => address_file = Some(PathBuf::from(value()?)),
            other => return Err(Failure::Usage(format!("unknown argument {other}"))),
        }
    }
    let listen = listen.ok_or_else(|| Failure::Usage("--listen is needed".into()))?;
    Ok(Arguments { listen, config, revision, address_file })
}

fn parse_address(text: &OsString) -> Result<SocketAddr, Failure> {
    let text = text.to_string_lossy();
    text.parse().map_err(|_| Failure::Usage(format!("{text} is no address like 127.0.0.1:7171")))
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut config = match &arguments.config {
        Some(path) => read_config(path)?,
        None => Config::default(),
    };
    if let Some(revision) = arguments.revision {
        config.revision = revision;
    }
    take_key(&mut config.jwt_key, "CHAT_JWT_KEY");
    take_key(&mut config.bypass_key, "CHAT_BYPASS_KEY");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Run)?;
    runtime.block_on(listen(arguments.listen, arguments.address_file.as_deref(), config))
}

fn take_key(key: &mut String, name: &str) {
    if key.is_empty() {
        *key = std::env::var(name).unwrap_or_default();
    }
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    let wrong = |text: String| Failure::Config(path.to_owned(), text);
    let size =
        std::fs::metadata(path).map_err(|error| Failure::Read(path.to_owned(), error))?.len();
    if size > MAX_CONFIG {
        return Err(wrong("it is larger than 64 KiB".into()));
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::Read(path.to_owned(), error))?;
    // A file of comments only means: nothing special.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Config::default());
    }
    serde_yaml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

async fn listen(
    address: SocketAddr,
    address_file: Option<&Path>,
    config: Config,
) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Run)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Run)?;
    let listener = open(address).map_err(|error| Failure::Listen(address, error))?;
    let bound = listener.local_addr().map_err(Failure::Run)?;
    if let Some(path) = address_file {
        write_address(path, bound).map_err(|error| Failure::Write(path.to_owned(), error))?;
    }
    let _ = writeln!(io::stderr(), "chat-staging {} listens on {bound}", config.revision);
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve(listener, config, shutdown).await.map_err(Failure::Run)
}

/// As many connections as are served may also come at once: with the usual room for 128 the others
/// would be asked to come again a second later.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(MAX_WAITING)
}

/// Whoever reads the file sees a whole address or no file.
fn write_address(path: &Path, address: SocketAddr) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    std::fs::write(&unfinished, format!("{address}\n"))?;
    std::fs::rename(&unfinished, path)
}
