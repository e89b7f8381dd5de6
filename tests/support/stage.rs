//! A staging made of a folder: a deploy script puts `stage.yaml` and `revision` there, and a small
//! server on loopback answers as they say. It misbehaves exactly when told to, and counts.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// No gate keeps an answer longer than this.
const GATE_TIME: Duration = Duration::from_secs(60);

/// What a revision answers: paths, each with answers that are given one after another; the last is
/// given for good. A path that ends in `*` stands for all below it that have none of their own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Behaviour {
    #[serde(default)]
    pub(crate) routes: BTreeMap<String, Vec<Answer>>,
}

/// One answer. `{revision}` in a text stands for the deployed revision.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// 200 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// Give it so many times before the next one's turn; once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    /// Keep the answer until a file of this name is in the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gate: Option<String>,
    /// Keep the answer for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait_ms: Option<u64>,
    /// Take the `sha` of the request's JSON for the revision that is served from now on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deploys: bool,
    /// Close the connection without an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hang_up: bool,
}

/// The folder and its server. The server ends with it.
pub(crate) struct Stage {
    folder: PathBuf,
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    over: AtomicBool,
    /// How often each path was asked since the last deploy began, and ever.
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    deploy: u64,
    of_deploy: HashMap<String, u64>,
    ever: HashMap<String, u64>,
}

impl Stage {
    pub(crate) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (inside, there) = (Arc::clone(&seen), folder.clone());
        thread::spawn(move || accept(&listener, &inside, &there));
        Self { folder, address, seen }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many requests a path got.
    pub(crate) fn requests(&self, path: &str) -> u64 {
        self.seen.counts.lock().unwrap().ever.get(path).copied().unwrap_or(0)
    }

    /// Lets through whoever waits at a gate.
    pub(crate) fn open(&self, gate: &str) {
        fs::write(self.folder.join(gate), "").unwrap();
    }

    /// The lines that the deploy scripts left, one for each start.
    pub(crate) fn starts(&self) -> Vec<String> {
        lines(&self.folder.join("starts"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.seen.over.store(true, Ordering::Relaxed);
        // Wakes the server, which looks whether it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn accept(listener: &TcpListener, seen: &Arc<Seen>, folder: &Path) {
    for stream in listener.incoming() {
        if seen.over.load(Ordering::Relaxed) {
            return;
        }
        let (seen, folder) = (Arc::clone(seen), folder.to_owned());
        if let Ok(stream) = stream {
            // A client that hangs up is the client's business.
            thread::spawn(move || serve(&stream, &seen, &folder).ok());
        }
    }
}

fn serve(stream: &TcpStream, seen: &Seen, folder: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(GATE_TIME))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = read_request(&mut reader)? {
        let deploy = lines(&folder.join("starts")).len() as u64;
        let nth = seen.counts.lock().unwrap().count(deploy, &path);
        let answer = answer_to(&path, nth, folder);
        if let Some(gate) = &answer.gate {
            let gate = folder.join(gate);
            let until = Instant::now() + GATE_TIME;
            while !gate.exists() && Instant::now() < until && !seen.over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        thread::sleep(Duration::from_millis(answer.wait_ms.unwrap_or(0)));
        if answer.deploys {
            let order: Value = serde_json::from_slice(&body)?;
            fs::write(folder.join("revision"), order["sha"].as_str().unwrap_or_default())?;
        }
        if answer.hang_up {
            return Ok(());
        }
        write_answer(stream, &answer, folder)?;
    }
    Ok(())
}

impl Counts {
    /// Which request of this path it is, from 0, since the deploy that is there now.
    fn count(&mut self, deploy: u64, path: &str) -> u64 {
        if deploy != self.deploy {
            self.deploy = deploy;
            self.of_deploy.clear();
        }
        *self.ever.entry(path.to_owned()).or_default() += 1;
        let count = self.of_deploy.entry(path.to_owned()).or_default();
        *count += 1;
        *count - 1
    }
}

/// The path of a request, without its query, and its body; `None` when the client is done.
fn read_request(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let target = first.split(' ').nth(1).unwrap_or("/");
    Ok(Some((target.split('?').next().unwrap_or("/").to_owned(), body)))
}

fn answer_to(path: &str, nth: u64, folder: &Path) -> Answer {
    if path == "/control" {
        return Answer { text: Some("up".to_owned()), ..Answer::default() };
    }
    let Ok(text) = fs::read_to_string(folder.join("stage.yaml")) else {
        return Answer {
            status: Some(503),
            text: Some("nothing is deployed".to_owned()),
            ..Answer::default()
        };
    };
    let behaviour: Behaviour = serde_yaml::from_str(&text).unwrap();
    let below = |route: &str| route.strip_suffix('*').is_some_and(|begin| path.starts_with(begin));
    let answers = behaviour.routes.get(path);
    let answers = answers
        .or_else(|| behaviour.routes.iter().find(|(route, _)| below(route)).map(|(_, one)| one));
    let Some(answers) = answers else {
        return usual_answer(path);
    };
    let mut before = 0;
    let turn = answers.iter().find(|answer| {
        before += answer.times.unwrap_or(1);
        nth < before
    });
    turn.or(answers.last()).cloned().unwrap_or_default()
}

fn usual_answer(path: &str) -> Answer {
    let json = |value| Answer { json: Some(value), ..Answer::default() };
    match path {
        "/version" => json(serde_json::json!({ "revision": "{revision}" })),
        "/health" => json(serde_json::json!({ "status": "healthy" })),
        _ => Answer { status: Some(404), ..json(serde_json::json!({ "error": "no such path" })) },
    }
}

fn write_answer(mut stream: &TcpStream, answer: &Answer, folder: &Path) -> std::io::Result<()> {
    let revision = fs::read_to_string(folder.join("revision")).unwrap_or_default();
    let (kind, body) = match (&answer.json, &answer.text) {
        (Some(json), _) => ("application/json", json.to_string()),
        (None, text) => ("text/plain", text.clone().unwrap_or_default()),
    };
    let body = body.replace("{revision}", &revision);
    let mut head = format!(
        "HTTP/1.1 {} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n",
        answer.status.unwrap_or(200),
        body.len()
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())
}
