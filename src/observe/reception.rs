//! Where commands connect: so many connections at once, each served as HTTP/1.1 until the proxy ends.
//!
//! Both proxies of this crate receive commands so; what they answer is their own matter.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many connections of a command are served at once; more wait to be accepted.
const AT_ONCE: usize = 1_024;
/// How long a request's head, or the next request on a connection, may take to come.
const HEAD: Duration = Duration::from_secs(60);
/// The longest head of a message, in bytes.
pub(crate) const HEAD_SIZE: usize = 64 * 1024;
/// How long to wait when the system has no connection to give.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// The place of a connection among those that are served at once.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// Accepts until the proxy ends; `serve` is given each connection, and gives back what serves it, if it is to be.
pub(crate) async fn accept<S>(
    listener: TcpListener,
    ending: &CancellationToken,
    tasks: &TaskTracker,
    serve: impl Fn(TcpStream, Place) -> Option<S>,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            () = ending.cancelled() => return,
            accepted = next => accepted,
        };
        match accepted {
            Some((Ok((stream, _)), place)) => {
                let _ = stream.set_nodelay(true);
                if let Some(serving) = serve(stream, Arc::new(place)) {
                    tasks.spawn(serving);
                }
            }
            Some((Err(error), _)) => {
                tracing::debug!(%error, "a connection of the command was not accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
            None => return,
        }
    }
}

/// Answers the requests of a connection until either side ends it.
pub(crate) async fn serve<F, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ending: &CancellationToken,
    answer: impl Fn(Request<Incoming>) -> F,
) where
    F: Future<Output = Response<B>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_SIZE)
        .preserve_header_case(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        () = ending.cancelled() => {}
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection of the command ended badly");
            }
        }
    }
}
