//! Requests in the clear, passed on to the host, and the answer back.
//!
//! What it must not do: change more of a message than its way demands, or the fault.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, ORIGIN};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::Shared;
use super::answer::{Body, body, cannot};
use super::destination::Destination;
use super::dial::dial;
use super::events::Events;
use super::note::Open;
use super::passage::{self, Passage};
use super::strike::Strike;
use crate::observe::{HEAD_SIZE, NoConnection, Place, ask_upgrade, strip};
use crate::prove::Content;

/// Passes a request on.
pub(super) async fn on(
    mut request: Request<Incoming>,
    to: Destination,
    strike: Strike,
    place: Place,
    shared: Arc<Shared>,
) -> Response<Body> {
    let name = to.target.name();
    let client = hyper::upgrade::on(&mut request);
    let protocol = strip(request.headers_mut());
    if let Some(protocol) = &protocol {
        ask_upgrade(request.headers_mut(), protocol.clone());
    }
    readdress(&mut request, &to, &shared);
    let mut sender = match connect(&to, &shared).await {
        Ok(sender) => sender,
        Err(no) => return cannot(no.status, &no.text),
    };
    let open = shared.notes.exchange(name.clone(), Content::Plain);
    let mut response = match sender.send_request(request).await {
        Ok(response) => response,
        Err(error) => {
            let why = format!("{name} gave no answer that could be read: {error}");
            return cannot(StatusCode::BAD_GATEWAY, &why);
        }
    };
    open.answered(response.status());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let answered = strip(response.headers_mut());
        let (Some(answered), Some(_)) = (answered, protocol) else {
            let why = format!("{name} switched protocols without being asked");
            return cannot(StatusCode::BAD_GATEWAY, &why);
        };
        ask_upgrade(response.headers_mut(), answered.clone());
        let host = hyper::upgrade::on(&mut response);
        let is_socket = answered.as_bytes().eq_ignore_ascii_case(b"websocket");
        let ends = Passage { client, host, is_socket, strike, open };
        passage::spawn(ends, place, &shared);
        return response.map(|_| body(Bytes::new()));
    }
    give_back(response, sender, (open, strike), &to, &shared)
}

/// The address that the host expects.
fn readdress(request: &mut Request<Incoming>, to: &Destination, shared: &Shared) {
    let path = request.uri().path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = http::Version::HTTP_11;
    if let Some(Ok(host)) = to.authority.as_deref().map(HeaderValue::from_str) {
        request.headers_mut().insert(HOST, host);
    }
    // A page of the entrance is one of the service.
    let entrance = format!("http://{}", shared.address);
    let origin = shared.service.origin().filter(|_| to.by_entrance);
    if let Some(Ok(origin)) = origin.map(|origin| HeaderValue::try_from(origin.url()))
        && request.headers().get(ORIGIN).is_some_and(|from| *from == entrance)
    {
        request.headers_mut().insert(ORIGIN, origin);
    }
}

async fn connect(
    to: &Destination,
    shared: &Arc<Shared>,
) -> Result<SendRequest<Incoming>, NoConnection> {
    let stream = dial(shared, &to.target, to.is_tls).await?;
    let handshake = http1::Builder::new()
        .max_buf_size(HEAD_SIZE)
        .preserve_header_case(true)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(|fault| NoConnection {
        status: StatusCode::BAD_GATEWAY,
        text: fault.to_string(),
    })?;
    let ending = shared.ending.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            () = ending.cancelled() => {}
            ended = connection.with_upgrades() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection to a host ended badly");
                }
            }
        }
    });
    Ok(sender)
}

/// The answer, noted by what it is.
fn give_back(
    mut response: Response<Incoming>,
    sender: SendRequest<Incoming>,
    (open, strike): (Open, Strike),
    to: &Destination,
    shared: &Shared,
) -> Response<Body> {
    let is_success = response.status().is_success();
    let headers = response.headers_mut();
    strip(headers);
    if to.by_entrance {
        keep_by_entrance(headers, shared);
    }
    let (mut is_mute, mut events) = (false, None);
    match (media_type(headers).as_str(), is_success) {
        ("text/event-stream", true) => {
            open.is(Content::Events { any: false, json: false });
            events = Some(Events::default());
            is_mute = strike == Strike::Mute;
        }
        (kind, true) if kind == "application/json" || kind.ends_with("+json") => {
            open.is(Content::Json);
        }
        _ => {}
    }
    if is_mute {
        headers.remove(CONTENT_LENGTH);
    }
    // Each hop speaks its own version (RFC 9110 section 2.5).
    *response.version_mut() = http::Version::HTTP_11;
    response.map(|inner| {
        let passed = Passed { inner, open, events, _sender: sender };
        if is_mute { Mute(passed).boxed_unsync() } else { passed.boxed_unsync() }
    })
}

/// What leads back to the service leads to the entrance.
fn keep_by_entrance(headers: &mut HeaderMap, shared: &Shared) {
    let moved = headers.get(LOCATION).and_then(|location| {
        let entrance = shared.service.entrance(location.to_str().ok()?, shared.address)?;
        HeaderValue::try_from(entrance).ok()
    });
    if let Some(moved) = moved {
        headers.insert(LOCATION, moved);
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The content of an answer, noted while it goes through. The connection that it comes over lives as long.
struct Passed {
    inner: Incoming,
    open: Open,
    /// Where it is a stream of events.
    events: Option<Events>,
    _sender: SendRequest<Incoming>,
}

impl HttpBody for Passed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let data = frame.data_ref().map_or(&[][..], |data| data.as_ref());
            self.open.came(data.len());
            if let Some(events) = &mut self.events
                && events.look(data)
            {
                self.open.said_json();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.inner.size_hint()
    }
}

/// The same without any of its content. It ends when the content does.
struct Mute(Passed);

impl HttpBody for Mute {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(context)) {
                Some(Ok(_)) => {}
                ended => return Poll::Ready(ended),
            }
        }
    }
}
