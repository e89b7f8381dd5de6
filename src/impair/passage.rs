//! What two sides say to each other once they speak another protocol: WebSockets message by message.

use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink, split};
use tokio::time::timeout;

use super::Shared;
use super::frames::{After, Gate};
use super::note::Open;
use super::strike::Strike;
use crate::observe::Place;
use crate::prove::Content;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// How long a client has to answer a close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Both ends of a connection that became something else.
pub(super) struct Passage {
    pub(super) client: OnUpgrade,
    pub(super) host: OnUpgrade,
    pub(super) is_socket: bool,
    pub(super) strike: Strike,
    pub(super) open: Open,
}

/// Lets the two talk, until both have ended or the proxy does.
pub(super) fn spawn(passage: Passage, place: Place, shared: &Arc<Shared>) {
    let ending = shared.ending.clone();
    shared.tasks.spawn(async move {
        let _place = place;
        tokio::select! {
            () = ending.cancelled() => {}
            () = passage.run() => {}
        }
    });
}

impl Passage {
    async fn run(self) {
        let (Ok(client), Ok(host)) = tokio::join!(self.client, self.host) else { return };
        let (client, host) = (TokioIo::new(client), TokioIo::new(host));
        if self.is_socket {
            self.open.is(Content::Socket { messages: 0, json: false });
            let gate = Gate::new(self.strike.passes());
            talk(client, host, gate, &self.open).await;
        } else {
            self.open.is(Content::Sealed);
            talk_sealed(client, host, &self.open).await;
        }
    }
}

/// Passes the messages of a WebSocket through a gate.
async fn talk(
    client: impl AsyncRead + AsyncWrite,
    host: impl AsyncRead + AsyncWrite,
    mut gate: Gate,
    open: &Open,
) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_host, mut to_host) = split(host);
    let up = async {
        let _ = copy(&mut from_client, &mut to_host).await;
        let _ = to_host.shutdown().await;
    };
    let down = async {
        let (mut chunk, mut out) = (vec![0; CHUNK], Vec::new());
        while let Ok(read @ 1..) = from_host.read(&mut chunk).await {
            out.clear();
            let after = gate.pass(&chunk[..read], &mut out);
            open.came(read);
            open.is(Content::Socket { messages: gate.messages(), json: gate.has_json() });
            if to_client.write_all(&out).await.is_err() || to_client.flush().await.is_err() {
                return After::Closed;
            }
            if after == After::Closed {
                return After::Closed;
            }
        }
        let _ = to_client.shutdown().await;
        After::GoOn
    };
    let (mut up, mut down) = (Box::pin(up), Box::pin(down));
    tokio::select! {
        () = &mut up => {
            down.await;
        }
        after = &mut down => match after {
            After::GoOn => up.await,
            After::Closed => {
                drop(up);
                // What the client still says is for nobody; the service sees its connection end.
                let _ = timeout(GOODBYE, copy(&mut from_client, &mut sink())).await;
            }
        },
    }
}

/// Passes bytes both ways as they are.
pub(super) async fn talk_sealed(
    client: impl AsyncRead + AsyncWrite,
    host: impl AsyncRead + AsyncWrite,
    open: &Open,
) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_host, mut to_host) = split(host);
    let up = async {
        let _ = copy(&mut from_client, &mut to_host).await;
        let _ = to_host.shutdown().await;
    };
    let down = async {
        let mut chunk = vec![0; CHUNK];
        while let Ok(read @ 1..) = from_host.read(&mut chunk).await {
            open.came(read);
            if to_client.write_all(&chunk[..read]).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::join!(up, down);
}
