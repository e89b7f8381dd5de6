//! A staging environment on loopback: what a deploy copied into its folder is what it serves.
//!
//! `GET /path` answers with the file of that name: `path.status` gives another status, and a name
//! that ends in `.sse` is a stream of events, one in `.json` is JSON. `/hang` never answers. `/ws` is a WebSocket that says
//! `{"type":"hello"}`, gives back what it gets, and closes with 1008 when that is `bye`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// A running server; it ends with the value.
pub struct Staging {
    pub address: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Staging {
    pub fn start(folder: PathBuf) -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().to_string()).unwrap();
                tokio::select! {
                    () = serve(listener, folder) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

async fn serve(listener: TcpListener, folder: PathBuf) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let folder = folder.clone();
        // Whoever breaks off a connection is no concern of the others.
        tokio::spawn(async move {
            let mut start = [0; 7];
            let seen = stream.peek(&mut start).await.unwrap_or(0);
            if start[..seen].starts_with(b"GET /ws") {
                let _ = talk(stream).await;
            } else {
                let _ = answer(stream, &folder).await;
            }
        });
    }
}

async fn answer(mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&request);
    let path = text.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
    if path == "hang" {
        std::future::pending::<()>().await;
    }
    let body = fs::read(folder.join(&path));
    let status = fs::read_to_string(folder.join(format!("{path}.status")));
    let status = match (&body, status) {
        (_, Ok(status)) => status.trim().to_owned(),
        (Ok(_), Err(_)) => "200".to_owned(),
        (Err(_), Err(_)) => "404".to_owned(),
    };
    let body = body.unwrap_or_else(|_| b"nothing here".to_vec());
    let kind = match path.rsplit_once('.') {
        Some((_, "sse")) => "text/event-stream",
        Some((_, "json")) => "application/json",
        _ => "text/plain",
    };
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

async fn talk(stream: TcpStream) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    socket.send(Message::text(r#"{"type":"hello"}"#)).await?;
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) if text.as_str() == "bye" => {
                let close = CloseFrame { code: 1008.into(), reason: "so long".into() };
                return socket.close(Some(close)).await;
            }
            Message::Text(text) => socket.send(Message::Text(text)).await?,
            _ => {}
        }
    }
    Ok(())
}
