//! The proxy that observes suite commands: tunnels a second, bytes through, and its memory.
//!
//! It runs in a process of its own, so that what it costs is its own; this process is the command and
//! the hosts.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use andon::observe::{Access, Proxy, Settings};
use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use super::living::Process;
use super::options::Options;
use super::table;

/// Tunnels that are opened and closed.
const TUNNELS: u64 = 40_000;
/// Clients that open them.
const CLIENTS: usize = 32;
/// Tunnels that bytes go through at once.
const STREAMS: usize = 4;
/// For so long.
const STREAMING: Duration = Duration::from_secs(4);
/// Tunnels that are idle.
const IDLE: usize = 900;

/// Measures and prints what was asked for.
pub fn print(options: &Options) -> Result<()> {
    if !"proxy".starts_with(&options.only) && !options.only.starts_with("proxy") {
        return Ok(());
    }
    let proxy = Running::start()?;
    let process = proxy.process();
    let runtime = runtime()?;
    let rate = runtime.block_on(open_and_close(proxy.address))?;
    let first = process.cpu();
    let each = first.as_secs_f64() * 1e6 / TUNNELS as f64;
    let figure = format!("{rate:.0} a second, {each:.0} µs on a processor each");
    let reached = table::word(rate >= 5_000.0, "5,000 a second".to_owned());
    table::print_plain("proxy: CONNECTs", &figure, &reached);
    let (rate, bytes) = runtime.block_on(stream(proxy.address))?;
    let cpu = process.cpu().saturating_sub(first).as_secs_f64();
    let figure = format!(
        "{rate:.0} MB/s through {STREAMS} tunnels, {:.0} MB for a second on a processor",
        bytes / 1e6 / cpu
    );
    let reached = table::word(rate >= 500.0, "500 MB/s".to_owned());
    table::print_plain("proxy: bytes", &figure, &reached);
    let held = runtime.block_on(hold(proxy.address))?;
    let (now, peak) = (process.resident_mib(), process.peak_mib());
    drop(held);
    let figure = format!("{now:.1} MiB with {IDLE} idle tunnels, peak of all {peak:.1} MiB");
    table::print_plain(
        "proxy: memory",
        &figure,
        &table::word(peak < 32.0, "under 32 MiB".to_owned()),
    );
    Ok(())
}

/// The process of the proxy: prints where it listens, and ends when its input does.
pub fn serve() -> Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let settings =
            Settings { hosts: None, access: Access::Loopback, started_at: jiff::Timestamp::now() };
        let proxy = Proxy::start(settings).await?;
        println!("{}", proxy.address());
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        let seen = proxy.finish().await;
        eprintln!("{} hosts", seen.hosts.len());
        Ok(())
    })
}

struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--proxy")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().context("the proxy did not start")?;
        Ok(Self { child, address })
    }

    fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A host that hands each connection to `talk`.
async fn host<F>(talk: fn(TcpStream) -> F) -> Result<SocketAddr>
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    Ok(address)
}

async fn wait_for_end(mut stream: TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0]).await.map(drop)
}

async fn write_for_ever(mut stream: TcpStream) -> std::io::Result<()> {
    let chunk = vec![7; 256 * 1024];
    loop {
        stream.write_all(&chunk).await?;
    }
}

async fn connect(proxy: SocketAddr, host: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(proxy).await?;
    let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).await?;
    ensure!(answer[..read].starts_with(b"HTTP/1.1 200"), "no tunnel");
    Ok(stream)
}

async fn open_and_close(proxy: SocketAddr) -> Result<f64> {
    let host = host(wait_for_end).await?;
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|_| {
        tokio::spawn(async move {
            for _ in 0..TUNNELS / CLIENTS as u64 {
                drop(connect(proxy, host).await?);
            }
            anyhow::Ok(())
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    Ok(TUNNELS as f64 / started.elapsed().as_secs_f64())
}

async fn stream(proxy: SocketAddr) -> Result<(f64, f64)> {
    let host = host(write_for_ever).await?;
    let bytes = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut tunnel = connect(proxy, host).await?;
        let bytes = Arc::clone(&bytes);
        streams.push(tokio::spawn(async move {
            let mut buffer = vec![0; 256 * 1024];
            while let Ok(read) = tunnel.read(&mut buffer).await {
                bytes.fetch_add(read as u64, Ordering::Relaxed);
            }
        }));
    }
    tokio::time::sleep(STREAMING).await;
    let (bytes, took) = (bytes.load(Ordering::Relaxed) as f64, started.elapsed().as_secs_f64());
    streams.iter().for_each(|stream| stream.abort());
    Ok((bytes / 1e6 / took, bytes))
}

async fn hold(proxy: SocketAddr) -> Result<Vec<TcpStream>> {
    let host = host(wait_for_end).await?;
    let mut held = Vec::new();
    for _ in 0..IDLE {
        held.push(connect(proxy, host).await?);
    }
    Ok(held)
}
