//! Opens what the daemon works with; on a disk that is full, as soon as there is room.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{bind, is_full, setup, tell_manager, url_of};
use crate::cli::args::DaemonArgs;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::daemon::{Catalog, Daemon};
use crate::engine::{Clock as _, SystemClock};
use crate::store::sqlite::Mode;
use crate::store::{Store, StoreError};
use crate::web;

/// A full disk is asked again after so long at first, then after ever longer.
const AGAIN: Duration = Duration::from_secs(1);
/// And at the latest after so long.
const AT_LATEST: Duration = Duration::from_secs(15);

/// Everything that is served.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) daemon: Daemon,
    pub(super) catalog: Catalog,
    pub(super) listener: TcpListener,
}

/// Opens the records and the address; `None` when an end was asked for before there was room.
pub(super) async fn open(
    context: &Context,
    args: &DaemonArgs,
    folder: &Path,
    listen: SocketAddr,
) -> Result<Option<Opened>, CliError> {
    match try_opening(context, args, folder).await {
        Ok((store, daemon, catalog)) => {
            let listener = match bind(listen).await {
                Ok(listener) => listener,
                Err(error) => {
                    store.close().await;
                    return Err(error);
                }
            };
            Ok(Some(Opened { store, daemon, catalog, listener }))
        }
        Err(error) if is_lack_of_room(&error) => {
            wait_for_room(context, args, folder, bind(listen).await?, &error).await
        }
        Err(error) => Err(error),
    }
}

type Records = (Arc<dyn Store>, Daemon, Catalog);

async fn try_opening(
    context: &Context,
    args: &DaemonArgs,
    folder: &Path,
) -> Result<Records, CliError> {
    let store = context.store_on_full_disk(Mode::ReadWrite).await?;
    let opened = setup(context, args, folder, Arc::clone(&store))
        .and_then(|setup| Daemon::open(setup).map_err(CliError::from));
    match opened {
        Ok((daemon, catalog)) => Ok((store, daemon, catalog)),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

/// Tells why nothing is served, to people and to who asks over HTTP, and tries again.
async fn wait_for_room(
    context: &Context,
    args: &DaemonArgs,
    folder: &Path,
    listener: TcpListener,
    error: &CliError,
) -> Result<Option<Opened>, CliError> {
    let url = url_of(listener.local_addr().map_err(CliError::defect)?);
    // Without the path: whoever asks may be anybody.
    let why = "no space is left for the records of the daemon";
    tracing::error!(
        "{:#}: nothing but that is served at {url} until there is room; it goes on by itself",
        error.error
    );
    tell_manager(&[NotifyState::Ready, NotifyState::Status(why)]);
    let told = format!("{why} (since {})", since());
    let opening = CancellationToken::new();
    let work = async {
        let opened = try_again(context, args, folder).await;
        opening.cancel();
        opened
    };
    let (opened, ()) = tokio::join!(work, web::serve_waiting(&listener, &told, &opening));
    let Some((store, daemon, catalog)) = opened? else { return Ok(None) };
    tracing::info!("there is room for the records");
    Ok(Some(Opened { store, daemon, catalog, listener }))
}

fn since() -> Timestamp {
    let now = SystemClock.now();
    now.round(jiff::Unit::Second).unwrap_or(now)
}

async fn try_again(
    context: &Context,
    args: &DaemonArgs,
    folder: &Path,
) -> Result<Option<Records>, CliError> {
    let mut pause = AGAIN;
    loop {
        let sleep = tokio::time::sleep(pause);
        if context.host.cancel.run_until_cancelled(sleep).await.is_none() {
            return Ok(None);
        }
        match try_opening(context, args, folder).await {
            Ok(records) => return Ok(Some(records)),
            Err(error) if is_lack_of_room(&error) => pause = (pause * 2).min(AT_LATEST),
            Err(error) => return Err(error),
        }
    }
}

/// Whether it would go well on a disk with more room. A folder of somebody else's would not.
fn is_lack_of_room(error: &CliError) -> bool {
    error.error.chain().any(|cause| {
        let is_of_store = cause.downcast_ref().is_some_and(|it| matches!(it, StoreError::Full));
        is_of_store || cause.downcast_ref::<std::io::Error>().is_some_and(is_full)
    })
}
