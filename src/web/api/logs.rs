//! What the steps and commands of a cycle wrote, in ranges: a file is sent in pieces, never held whole.

mod reading;

use std::io::{Cursor, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::Semaphore;
use tokio_util::io::ReaderStream;

pub(in crate::web) use self::reading::{Found, Hit, Part, Which};
use super::cycles::state_of;
use super::range::{Wanted, wanted};
use crate::domain::evidence::Excerpt;
use crate::domain::state::CycleState;
use crate::engine::{Log, LogText, logs_of};
use crate::store::CycleRow;
use crate::web::call::{Answer, Call, ok};
use crate::web::forms::{LogForm, LogsForm};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// Of a log as it is sent.
const CHUNK: usize = 64 << 10;
/// So many look for something at once; others wait for their turn.
static LOOKING: Semaphore = Semaphore::const_new(2);
/// And for so long.
const TURN: Duration = Duration::from_secs(15);

/// `GET pipelines/{pipeline}/cycles/{cycle}/logs`
pub(in crate::web) async fn list(call: Call) -> Answer {
    let row = call.cycle().await?;
    let state = state_of(&call.site, &row).await?;
    ok(&LogsForm { logs: forms(&call.site, &state).await, over: !state.may_run_steps() })
}

/// The logs of a cycle.
pub(in crate::web) async fn forms(site: &Site, state: &CycleState) -> Vec<LogForm> {
    let mut logs = Vec::new();
    for (number, log) in (1..).zip(logs_of(state)) {
        let bytes = length(site, &log.text).await;
        logs.push(form(number, log, bytes));
    }
    logs
}

fn form(number: u32, log: Log<'_>, bytes: u64) -> LogForm {
    LogForm {
        log: number,
        phase: log.phase.to_string(),
        step: log.step,
        attempt: log.attempt,
        bytes,
        name: log.name,
        end: log.end.map(str::to_owned),
    }
}

/// A log that the path names.
pub(in crate::web) struct Opened {
    pub(in crate::web) row: CycleRow,
    pub(in crate::web) form: LogForm,
    source: Source,
}

/// Where its text is.
enum Source {
    File(PathBuf),
    Kept(String),
}

/// The log that the path names.
pub(in crate::web) async fn open(call: &Call) -> Result<Opened, Problem> {
    let row = call.cycle().await?;
    let state = state_of(&call.site, &row).await?;
    let given = call.parameter("log");
    let number: Option<u32> = given.parse().ok().filter(|number| *number > 0);
    let found = number.and_then(|number| {
        let place = usize::try_from(number).ok()? - 1;
        Some((number, logs_of(&state).into_iter().nth(place)?))
    });
    let (number, log) = found.ok_or_else(|| {
        Problem::not_found(format!("{} has no log {given:?}", row.key()))
            .help("the list of its logs is one step up in the address")
    })?;
    let bytes = length(&call.site, &log.text).await;
    let source = match &log.text {
        LogText::File(path) => Source::File(call.site.paths().root().join(path)),
        LogText::Kept(kept) => Source::Kept(text_of(*kept).to_owned()),
    };
    Ok(Opened { form: form(number, log, bytes), row, source })
}

impl Opened {
    /// A part of it, of at most so many bytes.
    pub(in crate::web) async fn part(
        self,
        which: Which,
        most: u64,
    ) -> Result<(Self, Part), Problem> {
        self.read(move |log| reading::part(log, which, most)).await
    }

    /// The first lines that hold a text.
    pub(in crate::web) async fn find(
        self,
        text: String,
        after: Option<u64>,
        most: usize,
    ) -> Result<(Self, Found), Problem> {
        let turn = tokio::time::timeout(TURN, LOOKING.acquire()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::unavailable("others look for something in logs just now")
                .help("ask once more"));
        };
        self.read(move |log| {
            // Whoever asked may be gone by now; the reading is not.
            let _turn = turn;
            reading::find(log, &text, after, most)
        })
        .await
    }

    /// Reads on a blocking thread: the log may be large.
    async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&mut dyn ReadSeek) -> std::io::Result<T> + Send + 'static,
    ) -> Result<(Self, T), Problem> {
        let reading = tokio::task::spawn_blocking(move || {
            let done = match &self.source {
                Source::Kept(text) => read(&mut Cursor::new(text.as_bytes())),
                Source::File(path) => {
                    std::fs::File::open(path).and_then(|mut file| read(&mut file))
                }
            };
            done.map(|done| (self, done))
        });
        let read = reading.await.map_err(|_| Problem::unavailable("the log cannot be read"))?;
        read.map_err(|fault| unreadable(&fault))
    }
}

/// A file, or a text.
trait ReadSeek: std::io::Read + std::io::Seek {}
impl<T: std::io::Read + std::io::Seek> ReadSeek for T {}

/// `GET pipelines/{pipeline}/cycles/{cycle}/logs/{log}`
pub(in crate::web) async fn one(call: Call) -> Answer {
    let opened = open(&call).await?;
    let range = call.header(RANGE.as_str());
    match &opened.source {
        Source::File(path) => from_file(path, range).await,
        Source::Kept(text) => from_text(text, range),
    }
}

fn text_of(kept: Option<&Excerpt>) -> &str {
    kept.map_or("", |output| output.text.as_str())
}

async fn length(site: &Site, text: &LogText<'_>) -> u64 {
    match text {
        // Not there yet, or expired: nothing to read either way.
        LogText::File(path) => {
            tokio::fs::metadata(site.paths().root().join(path)).await.map_or(0, |file| file.len())
        }
        LogText::Kept(kept) => text_of(*kept).len() as u64,
    }
}

fn unreadable(fault: &std::io::Error) -> Problem {
    match fault.kind() {
        std::io::ErrorKind::NotFound => {
            Problem::not_found("the log is not there: not yet, or no more")
        }
        kind => Problem::unavailable(format!("the log cannot be read: {kind}")),
    }
}

async fn from_file(path: &std::path::Path, range: Option<&str>) -> Answer {
    let gone = |fault: std::io::Error| unreadable(&fault);
    let mut file = File::open(path).await.map_err(gone)?;
    let length = file.metadata().await.map_err(gone)?.len();
    let (from, to) = match wanted(range, length) {
        Wanted::Whole => (0, length),
        Wanted::Part(from, to) => (from, to),
        Wanted::Nothing => return Ok(unsatisfiable(length)),
    };
    file.seek(SeekFrom::Start(from)).await.map_err(gone)?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(to - from), CHUNK));
    Ok(plain(body, range.is_some(), from, to, length))
}

fn from_text(text: &str, range: Option<&str>) -> Answer {
    let text = text.as_bytes();
    let length = text.len() as u64;
    let (from, to) = match wanted(range, length) {
        Wanted::Whole => (0, length),
        Wanted::Part(from, to) => (from, to),
        Wanted::Nothing => return Ok(unsatisfiable(length)),
    };
    let within = |at: u64| usize::try_from(at).unwrap_or(text.len());
    let body = Body::from(text[within(from)..within(to)].to_vec());
    Ok(plain(body, range.is_some(), from, to, length))
}

fn plain(body: Body, is_range: bool, from: u64, to: u64, length: u64) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, (to - from).to_string()),
    ];
    if is_range && (from, to) != (0, 0) {
        let part = [(CONTENT_RANGE, format!("bytes {from}-{}/{length}", to - 1))];
        return (StatusCode::PARTIAL_CONTENT, headers, part, body).into_response();
    }
    (headers, body).into_response()
}

fn unsatisfiable(length: u64) -> Response {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        format!("the log has {length} bytes so far"),
    );
    let mut response = problem.into_response();
    let all = format!("bytes */{length}").parse().expect("digits fit a header");
    response.headers_mut().insert(CONTENT_RANGE, all);
    response
}
