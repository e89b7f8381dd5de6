//! `daemon`: everything that it needs is put together, served, and taken apart in order.

mod opening;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::args::DaemonArgs;
use super::context::{Context, no_folder, place_of, read_file};
use super::error::{CliError, CliResult, Fault, Status};
use super::output::counted;
use super::remote::Whereabouts;
use super::settings;
use crate::daemon::{Catalog, Daemon, DaemonError, LockError, Setup};
use crate::domain::redact::Secret;
use crate::domain::spec::{SecretSource, SecretSpec};
use crate::engine::{SystemClock, write_atomically};
use crate::notify::Pages;
use crate::pipeline::{DaemonSettings, Role, Style};
use crate::process::Launcher;
use crate::store::Store;
use crate::suite::load_secrets;
use crate::web::hooks::{Forge, HookSecrets};
use crate::web::{self, Access, AccessError, Parts, Site};
use opening::Opened;

/// Where it listens when nothing is said.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
/// A token should be as hard to guess as 128 random bits in base64.
const GOOD_TOKEN: usize = 22;
/// Where a full disk kept the file from being written that says where the daemon is, that is tried again.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(5);

/// `andon daemon`
pub async fn daemon(context: &Context, args: &DaemonArgs) -> CliResult {
    let listen = args.listen.or(context.settings.daemon.listen).unwrap_or(LISTEN);
    let access = access(context, &context.settings.daemon, listen);
    // Secrets may come from slow programs, and nothing began that would have to end in order.
    let Some(loaded) = context.host.cancel.run_until_cancelled(access).await else {
        return Ok(Status::Green);
    };
    let (access, hooks) = loaded?;
    let folder = args.pipelines.as_ref().unwrap_or(&context.settings.pipelines);
    if !folder.is_dir() {
        return Err(no_folder(folder));
    }
    let opened = opening::open(context, args, folder, access.listen()).await?;
    let Some(opened) = opened else { return Ok(Status::Green) };
    let store = Arc::clone(&opened.store);
    let served = Box::pin(serve(context, folder, access, hooks, opened)).await;
    store.close().await;
    served
}

async fn serve(
    context: &Context,
    folder: &std::path::Path,
    access: Access,
    hooks: HookSecrets,
    opened: Opened,
) -> CliResult {
    let Opened { daemon, catalog, listener, .. } = opened;
    tell_faults(context, &catalog);
    let url = url_of(listener.local_addr().map_err(CliError::defect)?);
    let site = Site::new(Parts {
        handle: daemon.handle().clone(),
        clock: Arc::new(SystemClock),
        paths: context.paths(),
        working_dir: std::env::current_dir().map_err(CliError::usage)?,
        reports: context.settings.reports.clone(),
        access,
        hooks,
        log_search_time: web::LOG_SEARCH_TIME,
    });
    let announced = Announced::begin(context, &url)?;
    let served = counted(catalog.pipelines.len(), "pipeline");
    tracing::info!("{served} of {} served at {url}", folder.display());
    let closing = CancellationToken::new();
    let serving = {
        let (site, closing) = (site.clone(), closing.clone());
        tokio::spawn(async move { web::serve(listener, site, &closing).await })
    };
    let state = format!("{served} served at {url}");
    tell_manager(&[NotifyState::Ready, NotifyState::Status(&state)]);
    let leaving = async {
        context.host.cancel.cancelled().await;
        tell_manager(&[NotifyState::Stopping, NotifyState::Status("cycles come to their end")]);
        std::future::pending().await
    };
    tokio::select! {
        () = daemon.run(&context.host.cancel) => {}
        () = leaving => {}
        () = announced.keep_trying() => {}
        () = reload_on_hangup(context, &daemon, &site) => {}
    }
    // The pages stay until nothing is left to look at.
    closing.cancel();
    let ended = serving.await;
    drop(announced);
    ended.map_err(CliError::defect)?;
    tracing::info!("the daemon has ended");
    Ok(Status::Green)
}

fn setup(
    context: &Context,
    args: &DaemonArgs,
    folder: &std::path::Path,
    store: Arc<dyn Store>,
) -> Result<Setup, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let wanted = args.max_cycles.or(context.settings.daemon.max_cycles);
    let max_cycles = wanted.map_or(cores, |wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
    Ok(Setup {
        store,
        clock: Arc::new(SystemClock),
        paths: context.paths(),
        working_dir: std::env::current_dir().map_err(CliError::usage)?,
        reports: context.settings.reports.clone(),
        folder: place_of(folder)?,
        files: Arc::new(read_file),
        host: Arc::clone(&context.host.env),
        launcher: Launcher::new(context.host.program.clone()),
        max_cycles,
        retention: context.settings.daemon.retention,
        ballast: context.settings.daemon.ballast,
        pages: context.settings.daemon.public_url.clone().map(Pages::at),
    })
}

/// Tells the service manager that started us, where one did (`NOTIFY_SOCKET`).
fn tell_manager(state: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(state) {
        tracing::warn!("cannot tell the service manager: {fault}");
    }
}

/// Reads pipelines, tokens and secrets again, each time that it is asked to; never ends. What is
/// broken now leaves what was there before.
async fn reload_on_hangup(context: &Context, daemon: &Daemon, site: &Site) {
    loop {
        context.host.hangup.notified().await;
        match daemon.reload() {
            Ok(catalog) => {
                tell_faults(context, &catalog);
                tracing::info!("{} served", counted(catalog.pipelines.len(), "pipeline"));
            }
            Err(fault) => context.settings.console.fail(&fault.into()),
        }
        if let Err(error) = reload_access(context, site).await {
            context.settings.console.fail(&error);
            tracing::error!("tokens and secrets stay as they were");
        }
    }
}

async fn reload_access(context: &Context, site: &Site) -> Result<(), CliError> {
    let Some(file) = &context.settings.file else { return Ok(()) };
    let settings = settings::read(context.settings.console, file)?;
    let (access, hooks) = access(context, &settings, site.listen()).await?;
    site.set_access(access, hooks);
    Ok(())
}

/// Loads tokens and the secrets of webhooks; all that cannot be had are told at once.
async fn access(
    context: &Context,
    settings: &DaemonSettings,
    listen: SocketAddr,
) -> Result<(Access, HookSecrets), CliError> {
    let mut specs = Vec::new();
    for token in &settings.tokens {
        specs.push(spec(format!("token {}", token.name), &token.token));
    }
    for hook in &settings.webhooks {
        specs.extend(hook.secrets.iter().map(|s| spec(format!("webhook {}", hook.kind), s)));
    }
    let loaded = load_secrets(&specs, &context.host.env).await.map_err(|faults| {
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        CliError::usage_text(text.join("; ")).hint("see `tokens` and `webhooks` in andon.yaml")
    })?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut values = loaded.secrets.into_iter().map(|(_, secret)| secret);
    let tokens = tokens(settings, &mut values);
    // Whoever is told an address reaches us by it.
    let told = settings.public_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
    let hosts = settings.hosts.iter().cloned().chain(told).collect();
    let access = Access::new(listen, hosts, tokens)?;
    let mut hooks = HookSecrets::default();
    for hook in &settings.webhooks {
        let forge = Forge::parse(&hook.kind).expect("the reader knows the kinds");
        values.by_ref().take(hook.secrets.len()).for_each(|secret| hooks.add(forge, secret));
    }
    Ok((access, hooks))
}

fn tokens(
    settings: &DaemonSettings,
    values: &mut impl Iterator<Item = Secret>,
) -> Vec<(String, Role, Secret)> {
    let mut tokens = Vec::new();
    for (token, value) in settings.tokens.iter().zip(values) {
        if value.expose().len() < GOOD_TOKEN {
            tracing::warn!(
                "the token {} is short enough to be guessed; `openssl rand -base64 24` makes a better one",
                token.name
            );
        }
        tokens.push((token.name.clone(), token.role, value));
    }
    tokens
}

fn spec(name: String, source: &SecretSource) -> SecretSpec {
    SecretSpec { name, source: source.clone() }
}

fn tell_faults(context: &Context, catalog: &Catalog) {
    for faulty in &catalog.faulty {
        for diagnostic in &faulty.diagnostics {
            context.note(&diagnostic.render(Style::Coloured));
            context.note("");
        }
        let stays = catalog.pipelines.values().any(|served| served.pipeline.file == faulty.file);
        let what = if stays { "what it said before is served on" } else { "it is not served" };
        tracing::error!("{}: {}; {what}", faulty.file.display(), faulty.why);
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(listen).await.map_err(|fault| cannot_listen(listen, fault))
}

fn cannot_listen(address: SocketAddr, fault: std::io::Error) -> CliError {
    let in_use = fault.kind() == std::io::ErrorKind::AddrInUse;
    let error = anyhow::Error::from(fault).context(format!("cannot listen on {address}"));
    let error = CliError::usage(error);
    if in_use {
        return error
            .hint("another program listens there; choose another with `--listen ADDRESS:PORT`");
    }
    error
}

/// An address under which this machine reaches it.
fn url_of(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// The file that says where the daemon is, as long as it is there.
struct Announced {
    file: PathBuf,
    text: Vec<u8>,
    stands: bool,
}

impl Announced {
    /// Writes it. A full disk is no reason not to serve: what is held ready for one is given up for it,
    /// and where there is none it is written later.
    fn begin(context: &Context, url: &str) -> Result<Self, CliError> {
        let file = Whereabouts::file(&context.settings.state);
        let whereabouts = Whereabouts { url: url.to_owned(), pid: std::process::id() };
        let text = serde_json::to_vec(&whereabouts).expect("it is plain data");
        let mut written = write_atomically(&file, &text);
        if written.as_ref().is_err_and(is_full) && context.give_up_ballast() {
            written = write_atomically(&file, &text);
        }
        let stands = match written {
            Ok(()) => true,
            Err(fault) if is_full(&fault) => {
                tracing::error!(
                    "{} cannot be written before there is room on its disk ({fault}); until then commands need `--url {url}`",
                    file.display()
                );
                false
            }
            Err(fault) => {
                let error = anyhow::Error::from(fault);
                return Err(CliError::usage(
                    error.context(format!("cannot write {}", file.display())),
                ));
            }
        };
        Ok(Self { file, text, stands })
    }

    /// Writes it as soon as that can be; never ends.
    async fn keep_trying(&self) {
        let mut stands = self.stands;
        while !stands {
            tokio::time::sleep(ANNOUNCE_AGAIN).await;
            let (file, text) = (self.file.clone(), self.text.clone());
            let written = tokio::task::spawn_blocking(move || write_atomically(&file, &text)).await;
            stands = written.is_ok_and(|written| written.is_ok());
        }
        std::future::pending().await
    }
}

fn is_full(fault: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(fault.kind(), StorageFull | QuotaExceeded)
}

impl Drop for Announced {
    fn drop(&mut self) {
        // A file that stays says where nobody answers: every command tells that.
        let _ = std::fs::remove_file(&self.file);
    }
}

impl From<DaemonError> for CliError {
    fn from(fault: DaemonError) -> Self {
        match &fault {
            DaemonError::Lock(LockError::Io { .. }) => Self::usage(fault)
                .hint("check who owns the state folder, and that its disk has room"),
            DaemonError::Lock(LockError::Taken { .. }) => {
                let error = Self { fault: Fault::Usage, error: fault.into(), hints: Vec::new() };
                error.hint("`andon status` asks that one; another needs another `--state DIR`")
            }
            DaemonError::Folder { .. } => Self::usage(fault),
        }
    }
}

impl From<AccessError> for CliError {
    fn from(fault: AccessError) -> Self {
        let hint = fault.hint();
        Self::usage(fault).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_on_loopback() {
        for (listen, url) in [
            ("0.0.0.0:7070", "http://127.0.0.1:7070"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.1:8080", "http://192.0.2.1:8080"),
        ] {
            assert_eq!(url_of(listen.parse().unwrap()), url);
        }
    }
}
