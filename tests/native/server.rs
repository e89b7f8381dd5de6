//! A server on loopback that answers as a script says, well or badly.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use crate::kit::Counts;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    /// How often this path was asked, from 1.
    pub(crate) times: u32,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What the server does.
pub(crate) enum Reply {
    /// A whole answer.
    Http { status: u16, headers: Vec<(String, String)>, body: String },
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, then nothing for ever.
    Stall(Vec<u8>),
    /// These bytes one by one, so long apart.
    Drip(Vec<u8>, Duration),
    /// Nothing, ever.
    Hang,
    /// The connection is reset.
    Reset,
    /// The same bytes for ever.
    Endless(Vec<u8>),
    /// A WebSocket that does this.
    Ws(Option<String>, Vec<Frame>),
}

/// One act of the server on a socket.
pub(crate) enum Frame {
    Text(String),
    /// Waits for a message from the client, and sends it back.
    Echo,
    Close(u16, &'static str),
    /// Ends the connection without a close frame.
    Drop,
    /// Text for ever, without a pause.
    Flood(String),
    /// Says nothing, answers no ping, and keeps the connection.
    Freeze,
    /// Waits so long, and answers pings meanwhile.
    Pause(Duration),
    /// Waits until all others that wait for the same are there.
    Meet(Arc<tokio::sync::Barrier>),
    /// Keeps the socket open until the client leaves.
    Stay,
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &str) -> Reply {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    Reply::Http { status, headers, body: body.to_owned() }
}

/// An answer with a header and no body.
pub(crate) fn redirect(status: u16, to: &str) -> Reply {
    let headers = vec![("Location".to_owned(), to.to_owned())];
    Reply::Http { status, headers, body: String::new() }
}

type Script = Arc<dyn Fn(Asked) -> Reply + Send + Sync>;

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicU32>,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts a server that answers by a script.
    pub(crate) async fn start(script: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(script)).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        script: impl Fn(Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(acceptor), Arc::new(script)).await
    }

    async fn serve(acceptor: Option<TlsAcceptor>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
        let port = listener.local_addr().expect("it is bound").port();
        let connections = Arc::new(AtomicU32::new(0));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let counts: Arc<Mutex<Counts>> = Arc::default();
        let shared = Shared { script, asked: Arc::clone(&asked), counts };
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (shared, acceptor) = (shared.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => talk(stream, shared).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                talk(stream, shared).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, connections, asked }
    }

    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests for one path, in order.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("no test panicked meanwhile");
        asked.iter().filter(|one| one.path == path).cloned().collect()
    }
}

/// A port on which nobody listens.
pub(crate) async fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    listener.local_addr().expect("it is bound").port()
}

#[derive(Clone)]
struct Shared {
    script: Script,
    asked: Arc<Mutex<Vec<Asked>>>,
    counts: Arc<Mutex<Counts>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the end of the connection a reset.
    fn reset(&mut self);
}

impl Stream for TcpStream {
    #[allow(deprecated)] // Zero seconds: there is nothing to wait for.
    fn reset(&mut self) {
        self.set_linger(Some(Duration::ZERO)).expect("a socket can linger");
    }
}

impl Stream for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset(&mut self) {
        self.get_mut().0.reset();
    }
}

async fn talk(mut stream: impl Stream, shared: Shared) {
    while let Some(mut asked) = read_request(&mut stream).await {
        {
            let mut counts = shared.counts.lock().expect("no test panicked meanwhile");
            let times = counts.entry(asked.path.clone()).or_default();
            *times += 1;
            asked.times = *times;
        }
        shared.asked.lock().expect("no test panicked meanwhile").push(asked.clone());
        let key = asked.header("sec-websocket-key").to_owned();
        match (shared.script)(asked) {
            Reply::Http { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                head.push_str(&body);
                if stream.write_all(head.as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Raw(bytes) => {
                let _gone = stream.write_all(&bytes).await;
                let _gone = stream.shutdown().await;
                return;
            }
            Reply::Stall(bytes) => {
                let _gone = stream.write_all(&bytes).await;
                return std::future::pending().await;
            }
            Reply::Drip(bytes, apart) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(apart).await;
                }
                return;
            }
            Reply::Endless(bytes) => {
                while stream.write_all(&bytes).await.is_ok() {}
                return;
            }
            Reply::Hang => return std::future::pending().await,
            Reply::Reset => return stream.reset(),
            Reply::Ws(subprotocol, frames) => {
                return socket(stream, &key, subprotocol, frames).await;
            }
        }
    }
}

async fn read_request(stream: &mut impl Stream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
        if head[0] == 0x16 {
            // A TLS handshake: what every plain server says to that.
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            return None;
        }
    }
    let text = String::from_utf8(head).ok()?;
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Asked { method, path, headers, body, times: 0 })
}

async fn socket(
    mut stream: impl Stream,
    key: &str,
    subprotocol: Option<String>,
    frames: Vec<Frame>,
) {
    let accept = derive_accept_key(key.as_bytes());
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(subprotocol) = subprotocol {
        head.push_str(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
    }
    head.push_str("\r\n");
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    for frame in frames {
        let went = match frame {
            Frame::Text(text) => socket.send(Message::text(text)).await.is_ok(),
            Frame::Echo => match read_text(&mut socket).await {
                Some(text) => socket.send(Message::text(text)).await.is_ok(),
                None => false,
            },
            Frame::Close(code, reason) => {
                let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
                let _gone = socket.close(Some(frame)).await;
                while let Some(Ok(_)) = socket.next().await {}
                false
            }
            Frame::Drop => return,
            Frame::Flood(text) => {
                while socket.send(Message::text(text.clone())).await.is_ok() {}
                false
            }
            Frame::Meet(all) => {
                all.wait().await;
                true
            }
            Frame::Freeze => return std::future::pending().await,
            Frame::Pause(time) => {
                let quiet = async { while let Some(Ok(_)) = socket.next().await {} };
                tokio::time::timeout(time, quiet).await.is_err()
            }
            Frame::Stay => {
                while let Some(Ok(_)) = socket.next().await {}
                false
            }
        };
        if !went {
            return;
        }
    }
    let _gone = socket.close(None).await;
    while let Some(Ok(_)) = socket.next().await {}
}

async fn read_text<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Option<String> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return Some(text.as_str().to_owned()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}
