//! Plain HTTP: requests with absolute addresses, passed on one by one.
//!
//! A connection to a host is kept for the next request of the same client connection, as the client
//! would keep its own.
//!
//! What it must not do: pass on a message whose end could be read in two ways. `hyper` reads each message
//! whole and writes it anew, with one framing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{HOST, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::Shared;
use super::dial::{Dialled, NoConnection, asked_now, dial};
use super::headers::{Target, ask_upgrade, strip};
use super::pump::{Ahead, pump};
use super::reception::{HEAD_SIZE, Place};
use super::record::{Open, Way};
use super::serve::{Body, socket};

/// Where the requests of one client connection go.
pub(super) struct Route {
    shared: Arc<Shared>,
    kept: Mutex<Option<Link>>,
}

/// A connection to a host.
struct Link {
    target: Target,
    sender: SendRequest<Incoming>,
}

impl Route {
    /// Nowhere yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, kept: Mutex::new(None) }
    }

    /// Passes a request on, and the answer back.
    pub(super) async fn forward(
        &self,
        mut request: Request<Incoming>,
        place: Place,
    ) -> Result<Response<Body>, NoConnection> {
        let target = self.aim(&mut request)?;
        let client = hyper::upgrade::on(&mut request);
        let protocol = strip(request.headers_mut());
        if let Some(protocol) = &protocol {
            ask_upgrade(request.headers_mut(), protocol.clone());
        }
        self.shared.recorder.request(&target.name());
        let (link, mut response) = self.send(target, request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let answered = strip(response.headers_mut());
            let (Some(answered), Some(_)) = (answered, protocol) else {
                return Err(bad_gateway(&link.target, "it switched protocols without being asked"));
            };
            ask_upgrade(response.headers_mut(), answered);
            let host = hyper::upgrade::on(&mut response);
            self.pass_through(client, host, place);
            return Ok(response.map(Either::Right));
        }
        strip(response.headers_mut());
        // Each hop speaks its own version (RFC 9110 section 2.5).
        *response.version_mut() = http::Version::HTTP_11;
        *self.kept.lock().await = Some(link);
        Ok(response.map(Either::Right))
    }

    /// The host of a request, whose address then is what that host expects.
    fn aim(&self, request: &mut Request<Incoming>) -> Result<Target, NoConnection> {
        let uri = request.uri();
        let is_http = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme_str() == Some("ws");
        let authority = uri.authority().filter(|_| is_http).cloned();
        let target = authority.as_ref().and_then(|authority| Target::of(authority, Some(80)));
        let (Some(authority), Some(target)) = (authority, target) else {
            self.shared.recorder.turned_away();
            let text =
                "this is a proxy: it wants http://host/path, or CONNECT host:port".to_owned();
            return Err(NoConnection { status: StatusCode::BAD_REQUEST, text });
        };
        let path = uri.path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
        // The address decides, whatever the head says (RFC 9112 section 3.2.2).
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            request.headers_mut().insert(HOST, host);
        }
        *request.version_mut() = http::Version::HTTP_11;
        Ok(target)
    }

    /// Sends over the connection that is kept, if it goes to that host and still stands, or over a new
    /// one.
    async fn send(
        &self,
        target: Target,
        mut request: Request<Incoming>,
    ) -> Result<(Link, Response<Incoming>), NoConnection> {
        let kept = self.kept.lock().await.take().filter(|link| link.target == target);
        if let Some(mut link) = kept
            && link.sender.ready().await.is_ok()
        {
            match link.sender.try_send_request(request).await {
                Ok(response) => return Ok((link, response)),
                // The host had closed it, and not a byte of the request went out.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(bad_gateway(&target, &error.into_error().to_string())),
                },
            }
        }
        let mut link = self.connect(target).await?;
        match link.sender.send_request(request).await {
            Ok(response) => Ok((link, response)),
            Err(error) => Err(bad_gateway(&link.target, &error.to_string())),
        }
    }

    async fn connect(&self, target: Target) -> Result<Link, NoConnection> {
        let asked = asked_now();
        let Dialled { stream, address } = dial(&self.shared, &target).await?;
        let open = self.shared.recorder.connection(&target.name(), asked, address);
        let counted = Counted { stream, open };
        let handshake = http1::Builder::new()
            .max_buf_size(HEAD_SIZE)
            .preserve_header_case(true)
            .handshake(TokioIo::new(counted));
        let (sender, connection) = match handshake.await {
            Ok(pair) => pair,
            Err(error) => return Err(bad_gateway(&target, &error.to_string())),
        };
        let ending = self.shared.ending.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = ending.cancelled() => {}
                ended = connection.with_upgrades() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection to a host ended badly");
                    }
                }
            }
        });
        Ok(Link { target, sender })
    }

    /// Lets the bytes of another protocol through, once both sides speak it.
    fn pass_through(
        &self,
        client: hyper::upgrade::OnUpgrade,
        host: hyper::upgrade::OnUpgrade,
        place: Place,
    ) {
        let ending = self.shared.ending.clone();
        self.shared.tasks.spawn(async move {
            let _place = place;
            let run = async {
                let (Ok(client), Ok(host)) = tokio::join!(client, host) else { return };
                let (Ok((client, early)), Ok(host)) =
                    (socket(client), host.downcast::<TokioIo<Counted>>())
                else {
                    return;
                };
                let ahead = Ahead { to_host: early, to_client: host.read_buf };
                let Counted { stream, open } = host.io.into_inner();
                pump(client, stream, ahead, &open).await;
            };
            tokio::select! {
                () = ending.cancelled() => {}
                () = run => {}
            }
        });
    }
}

fn bad_gateway(target: &Target, why: &str) -> NoConnection {
    let text = format!("{} gave no answer that could be read: {why}", target.name());
    NoConnection { status: StatusCode::BAD_GATEWAY, text }
}

/// A socket whose bytes are counted.
struct Counted {
    stream: TcpStream,
    open: Open,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.open.moved(Way::Received, read);
        }
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.count(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Counted {
    fn count(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(written)) = written {
            self.open.moved(Way::Sent, *written);
        }
    }
}
