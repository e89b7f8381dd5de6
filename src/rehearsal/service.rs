//! The made-up service: takes connections within the process and answers what the stage says.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{DuplexStream, duplex};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::socket;
use super::stage::{Cue, Stage};
use crate::probe::StandIn;
use crate::prove::{Fault, Pace, Reply, Script, StreamEvent};

/// What a connection holds of what was sent and not read yet.
const BUFFER: usize = 64 * 1024;
/// The status with which we say that we do not know what to answer.
const NO_SCRIPT: u16 = 599;

/// Makes the connections of a run.
pub(super) fn stand_in(stage: &Arc<Stage>) -> StandIn {
    let stage = Arc::clone(stage);
    StandIn::new(move || {
        if stage.fault() == Some(Fault::Refused) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = duplex(BUFFER);
        tokio::spawn(serve(Arc::clone(&stage), theirs));
        Ok(ours)
    })
}

async fn serve(stage: Arc<Stage>, connection: DuplexStream) {
    let gone = stage.gone.clone();
    let answers = service_fn(move |request| {
        let stage = Arc::clone(&stage);
        async move { Ok::<_, Infallible>(answer(&stage, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(connection), answers)
        .with_upgrades();
    tokio::select! {
        biased;
        () = gone.cancelled() => {}
        // The client went, or read no more: it saw what it wanted to see.
        _ended = served => {}
    }
}

async fn answer(stage: &Arc<Stage>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match stage.fault() {
        Some(Fault::NoAnswer) => return pending().await,
        Some(Fault::Slow) => sleep(Pace::SLOW).await,
        Some(_) | None => {}
    }
    match stage.script() {
        Some(Script::Answer(reply)) => respond(reply),
        Some(Script::Stream { head, events }) => {
            let body = events.iter().map(text_of).collect();
            respond(Reply { body, ..head })
        }
        Some(Script::Socket { open, session, frames, close }) => {
            let cues = stage.open(session, Cue { frames, close });
            upgrade(stage, request, open.unwrap_or_default(), cues)
        }
        None => respond(Reply { status: NO_SCRIPT, headers: Vec::new(), body: String::new() }),
    }
}

fn text_of(event: &StreamEvent) -> String {
    let name = event.name.as_ref().map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {}\n\n", event.data)
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or_default();
    put_headers(&mut response, reply.headers);
    response
}

/// A header that cannot be sent is left out: the ideal run then fails by its name.
fn put_headers(response: &mut Response<Full<Bytes>>, headers: Vec<(String, String)>) {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
}

fn upgrade(
    stage: &Arc<Stage>,
    mut request: Request<Incoming>,
    headers: Vec<(String, String)>,
    cues: tokio::sync::mpsc::UnboundedReceiver<Cue>,
) -> Response<Full<Bytes>> {
    let key = request.headers().get("sec-websocket-key").map(|key| key.as_bytes().to_vec());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(socket::talk(Arc::clone(stage), upgraded, cues));
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = derive_accept_key(&key.unwrap_or_default());
    put_headers(
        &mut response,
        vec![
            (UPGRADE.to_string(), "websocket".to_owned()),
            (CONNECTION.to_string(), "Upgrade".to_owned()),
            (SEC_WEBSOCKET_ACCEPT.to_string(), accept),
        ],
    );
    put_headers(&mut response, headers);
    response
}
