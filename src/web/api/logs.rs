//! What the steps and commands of a cycle wrote, in ranges: a file is sent in pieces, never held whole.

mod finding;
mod reading;
mod shelf;

use std::io::{Cursor, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE,
};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::Semaphore;
use tokio_util::io::ReaderStream;

pub use self::finding::LOG_SEARCH_TIME;
pub(in crate::web) use self::finding::{Found, Hit, Wanted};
pub(in crate::web) use self::reading::{COUNTED, Part, Which};
pub(in crate::web) use self::shelf::Shelf;
use super::cycles::state_of;
use super::range::{self, wanted};
use crate::domain::evidence::Excerpt;
use crate::domain::gap::PlacedGap;
use crate::domain::state::CycleState;
use crate::engine::{Log, LogText, gap_of, logs_of};
use crate::store::CycleRow;
use crate::web::call::{Answer, Call, ok};
use crate::web::forms::{GapForm, LogForm, LogsForm};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// Of a log as it is sent.
const CHUNK: usize = 64 << 10;
/// So many look for something at once; others wait for their turn.
static LOOKING: Semaphore = Semaphore::const_new(2);
/// And for so long.
const TURN: Duration = Duration::from_secs(15);
/// Told of a log that will not grow any more.
const OVER: HeaderName = HeaderName::from_static("x-andon-over");
/// Told of a log whose middle was cut out: where, and how much.
const GAP: HeaderName = HeaderName::from_static("x-andon-gap");

/// `GET pipelines/{pipeline}/cycles/{cycle}/logs`
pub(in crate::web) async fn list(call: Call) -> Answer {
    let row = call.cycle().await?;
    let state = state_of(&call.site, &row).await?;
    ok(&LogsForm { logs: forms(&call.site, &state).await?, over: !state.may_run_steps() })
}

/// The logs of a cycle.
pub(in crate::web) async fn forms(
    site: &Site,
    state: &CycleState,
) -> Result<Vec<LogForm>, Problem> {
    let mut forms: Vec<LogForm> = Vec::new();
    let mut sources = Vec::new();
    for (number, log) in (1..).zip(logs_of(state)) {
        sources.push(Source::of(site, &log.text));
        forms.push(form(number, log));
    }
    let measuring = tokio::task::spawn_blocking(move || {
        sources.iter().map(Source::measure).collect::<Vec<_>>()
    });
    let measured = measuring.await.map_err(|_| Problem::unavailable("the logs cannot be read"))?;
    for (form, (bytes, gap)) in forms.iter_mut().zip(measured) {
        (form.bytes, form.gap) = (bytes, gap.map(GapForm::from));
    }
    Ok(forms)
}

fn form(number: u32, log: Log<'_>) -> LogForm {
    LogForm {
        log: number,
        phase: log.phase.to_string(),
        step: log.step,
        attempt: log.attempt,
        bytes: 0,
        name: log.name,
        end: log.end.map(str::to_owned),
        gap: None,
    }
}

/// A log that the path names.
pub(in crate::web) struct Opened {
    pub(in crate::web) row: CycleRow,
    pub(in crate::web) form: LogForm,
    /// What was cut out of its middle.
    pub(in crate::web) gap: Option<PlacedGap>,
    source: Source,
}

/// Where its text is.
enum Source {
    File(PathBuf),
    Kept(String),
}

impl Source {
    fn of(site: &Site, text: &LogText<'_>) -> Self {
        match text {
            LogText::File(path) => Self::File(site.paths().root().join(path)),
            LogText::Kept(kept) => Self::Kept(text_of(*kept).to_owned()),
        }
    }

    /// How long it is, and what is missing in it. Blocking.
    fn measure(&self) -> (u64, Option<PlacedGap>) {
        match self {
            // Not there yet, or expired: nothing to read either way.
            Self::File(path) => {
                let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
                (bytes, if bytes == 0 { None } else { gap_of(path) })
            }
            Self::Kept(text) => (text.len() as u64, None),
        }
    }
}

/// The log that the path names.
pub(in crate::web) async fn open(call: &Call) -> Result<Opened, Problem> {
    let row = call.cycle().await?;
    let given = call.parameter("log");
    let number: Option<u32> = given.parse().ok().filter(|number| *number > 0);
    let place = number.and_then(|number| usize::try_from(number).ok()).map(|number| number - 1);
    let site = call.site.clone();
    let found = site.logs().records(site.store(), &row, |records| {
        let log = records.logs().into_iter().nth(place?)?;
        Some((Source::of(&site, &log.text), form(number?, log)))
    });
    let (source, form) = found.await?.ok_or_else(|| {
        Problem::not_found(format!("{} has no log {given:?}", row.key()))
            .help("the list of its logs is one step up in the address")
    })?;
    let measuring = tokio::task::spawn_blocking(move || (source.measure(), source));
    let measured = measuring.await.map_err(|_| Problem::unavailable("the log cannot be read"))?;
    let ((bytes, gap), source) = measured;
    let form = LogForm { bytes, gap: gap.map(GapForm::from), ..form };
    Ok(Opened { row, form, gap, source })
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
    pub(in crate::web) async fn find(self, wanted: Wanted) -> Result<(Self, Found), Problem> {
        let turn = tokio::time::timeout(TURN, LOOKING.acquire()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::unavailable("others look for something in logs just now")
                .help("ask once more"));
        };
        self.read(move |log| {
            // Whoever asked may be gone by now; the reading is not.
            let _turn = turn;
            finding::find(log, &wanted)
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
    let mut response = match &opened.source {
        Source::File(path) => from_file(path, range).await?,
        Source::Kept(text) => from_text(text, range),
    };
    let headers = response.headers_mut();
    if opened.form.end.is_some() {
        headers.insert(OVER, HeaderValue::from_static("yes"));
    }
    if let Some(gap) = &opened.gap {
        headers.insert(GAP, told(gap).parse().expect("words and digits fit a header"));
    }
    Ok(response)
}

/// A gap in words of a script.
pub(in crate::web) fn told(gap: &PlacedGap) -> String {
    let lines = gap.gap.lines.map_or_else(String::new, |lines| format!("; lines={lines}"));
    format!("at={}; to={}; bytes={}{lines}", gap.at, gap.to, gap.gap.bytes)
}

fn text_of(kept: Option<&Excerpt>) -> &str {
    kept.map_or("", |output| output.text.as_str())
}

fn unreadable(fault: &std::io::Error) -> Problem {
    match fault.kind() {
        std::io::ErrorKind::NotFound => {
            Problem::not_found("the log is not there: not yet, or no more")
        }
        kind => Problem::unavailable(format!("the log cannot be read: {kind}")),
    }
}

async fn from_file(path: &Path, range: Option<&str>) -> Answer {
    let gone = |fault: std::io::Error| unreadable(&fault);
    let mut file = File::open(path).await.map_err(gone)?;
    let length = file.metadata().await.map_err(gone)?.len();
    let (from, to) = match wanted(range, length) {
        range::Wanted::Whole => (0, length),
        range::Wanted::Part(from, to) => (from, to),
        range::Wanted::Nothing => return Ok(unsatisfiable(length)),
    };
    file.seek(SeekFrom::Start(from)).await.map_err(gone)?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(to - from), CHUNK));
    Ok(plain(body, range.is_some(), from, to, length))
}

fn from_text(text: &str, range: Option<&str>) -> Response {
    let text = text.as_bytes();
    let length = text.len() as u64;
    let (from, to) = match wanted(range, length) {
        range::Wanted::Whole => (0, length),
        range::Wanted::Part(from, to) => (from, to),
        range::Wanted::Nothing => return unsatisfiable(length),
    };
    let within = |at: u64| usize::try_from(at).unwrap_or(text.len());
    let body = Body::from(text[within(from)..within(to)].to_vec());
    plain(body, range.is_some(), from, to, length)
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
