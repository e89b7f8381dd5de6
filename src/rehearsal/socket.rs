//! One socket of the made-up service: sends what each step waits for, and closes as it is told.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::stage::{Cue, Stage};
use crate::prove::{Fault, Pace};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Whether a socket goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    End,
}

/// Talks until either side has closed, or the run is over.
pub(super) async fn talk(stage: Arc<Stage>, upgraded: OnUpgrade, mut cues: UnboundedReceiver<Cue>) {
    let Ok(upgraded) = upgraded.await else { return };
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    loop {
        let after = tokio::select! {
            () = stage.gone.cancelled() => After::End,
            message = socket.next() => match message {
                Some(Ok(_)) => After::GoOn,
                Some(Err(_)) | None => After::End,
            },
            Some(cue) = cues.recv() => perform(&stage, &mut socket, cue).await,
        };
        if after == After::End {
            return;
        }
    }
}

async fn perform(stage: &Stage, socket: &mut Socket, cue: Cue) -> After {
    let fault = stage.fault();
    if fault == Some(Fault::Slow) && !cue.frames.is_empty() {
        sleep(Pace::SLOW).await;
    }
    for frame in cue.frames {
        if socket.send(Message::text(frame)).await.is_err() {
            return After::End;
        }
        if fault == Some(Fault::WsClose1011) {
            return close(socket, 1011).await;
        }
    }
    match cue.close {
        Some(code) => close(socket, code).await,
        None => After::GoOn,
    }
}

/// Closes, and reads on until the other side has closed too.
async fn close(socket: &mut Socket, code: u16) -> After {
    let frame = CloseFrame { code: code.into(), reason: "".into() };
    match socket.close(Some(frame)).await {
        Ok(()) => After::GoOn,
        Err(_) => After::End,
    }
}
