//! Connections: accepted without delay, bounded in number, led to an end when the service stops.

use super::app::{App, Shared};
use super::config::Config;
use super::routes::router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MAX_CONNECTIONS: usize = 8_192;
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How long running requests and sockets have when the service stops.
const GRACE: Duration = Duration::from_secs(2);
/// Pause after a failed accept, so that a lack of descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves on `listener` until `shutdown` is done, then lets running requests end within two seconds.
///
/// # Errors
///
/// When the listener's address cannot be read, which means that it is no usable socket.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let app = App::new(config);
    let service = TowerToHyperService::new(router(app.clone()));
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Ok((stream, permit)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (app, service) = (app.clone(), service.clone());
        app.tasks.clone().spawn(async move {
            let _permit = permit;
            serve_connection(&app, stream, service).await;
        });
    }
    drop(listener);
    app.stop.cancel();
    app.tasks.close();
    // What has not ended by then is cut off with the runtime.
    let _ = tokio::time::timeout(GRACE, app.tasks.wait()).await;
    Ok(())
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn serve_connection(
    app: &Shared,
    stream: TcpStream,
    service: TowerToHyperService<axum::Router>,
) {
    // Small answers must not wait for the acknowledgement of earlier ones.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // A connection that ends in an error is the client's business.
        _ = connection.as_mut() => return,
        () = app.stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
