//! `CONNECT`: bytes to and from a host, as they are.
//!
//! What it must not do: read them.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio::net::TcpStream;

use super::Shared;
use super::dial::{Dialled, NoConnection, asked_now, dial};
use super::headers::Target;
use super::pump::{Ahead, pump};
use super::reception::Place;
use super::record::Meter;
use super::serve::{Body, socket};

/// Connects to the host, and lets the bytes through once the client knows.
pub(super) async fn open(
    mut request: Request<Incoming>,
    shared: Arc<Shared>,
    place: Place,
) -> Result<Response<Body>, NoConnection> {
    let target = request.uri().authority().and_then(|authority| Target::of(authority, None));
    let Some(target) = target else {
        shared.recorder.turned_away();
        let text = "CONNECT wants host:port".to_owned();
        return Err(NoConnection { status: StatusCode::BAD_REQUEST, text });
    };
    let asked = asked_now();
    let Dialled { stream: host, address } = dial(&shared, &target).await?;
    let open = shared.recorder.connection(&target.name(), asked, address);
    let client = hyper::upgrade::on(&mut request);
    let ending = shared.ending.clone();
    shared.tasks.spawn(async move {
        let _place = place;
        tokio::select! {
            () = ending.cancelled() => {}
            () = run(client, host, &open) => {}
        }
    });
    Ok(Response::new(Either::Left(Full::default())))
}

async fn run(client: hyper::upgrade::OnUpgrade, host: TcpStream, meter: &Meter) {
    // Clients may send before they hear that the tunnel stands.
    let Ok(Ok((client, early))) = client.await.map(socket) else { return };
    let ahead = Ahead { to_host: early, to_client: bytes::Bytes::new() };
    pump(client, host, ahead, meter).await;
}
