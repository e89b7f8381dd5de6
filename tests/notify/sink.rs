//! A receiver of news on loopback: answers as told, and remembers what it was asked, in order.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How to answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// With a status, further header lines and a body.
    Answer(u16, &'static str, String),
    /// Not at all: the connection is closed.
    HangUp,
    /// Only once the gate is open.
    AfterGate,
}

pub(crate) fn status(status: u16) -> Reply {
    Reply::Answer(status, "", String::new())
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    /// By path: the next answers, then what is answered for good.
    replies: BTreeMap<String, VecDeque<Reply>>,
    for_good: BTreeMap<String, Reply>,
    gate_open: bool,
}

/// The receiver. Its threads end with the test's process.
#[derive(Clone)]
pub(crate) struct Sink {
    address: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Sink {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let sink = Self { address, shared: Arc::default() };
        let server = sink.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        sink
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests for a path so.
    pub(crate) fn next(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut state = self.shared.0.lock().unwrap();
        state.replies.entry(path.to_owned()).or_default().extend(replies);
    }

    /// Answers requests for a path so, when nothing else is said.
    pub(crate) fn always(&self, path: &str, reply: Reply) {
        self.shared.0.lock().unwrap().for_good.insert(path.to_owned(), reply);
    }

    pub(crate) fn open_gate(&self) {
        self.shared.0.lock().unwrap().gate_open = true;
        self.shared.1.notify_all();
    }

    /// What came for a path, in order.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let state = self.shared.0.lock().unwrap();
        state.asked.iter().filter(|asked| asked.path == path).cloned().collect()
    }

    /// The keys that came with the requests for a path.
    pub(crate) fn keys(&self, path: &str) -> Vec<String> {
        self.asked(path).iter().map(|asked| asked.header("x-andon-delivery").to_owned()).collect()
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some(asked) = read(&stream) else { return };
        let reply = {
            let mut state = self.shared.0.lock().unwrap();
            let queued = state.replies.get_mut(&asked.path).and_then(VecDeque::pop_front);
            let good = state.for_good.get(&asked.path).cloned();
            state.asked.push(asked);
            queued.or(good).unwrap_or_else(|| status(200))
        };
        let (code, headers, body) = match reply {
            Reply::HangUp => return,
            Reply::Answer(code, headers, body) => (code, headers, body),
            Reply::AfterGate => {
                let state = self.shared.0.lock().unwrap();
                drop(self.shared.1.wait_while(state, |state| !state.gate_open).unwrap());
                (200, "", String::new())
            }
        };
        let length = body.len();
        // Whoever asked may be gone.
        let _ = write!(
            stream,
            "HTTP/1.1 {code} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
        );
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body })
}
