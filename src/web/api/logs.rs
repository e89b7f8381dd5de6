//! What the steps and commands of a cycle wrote, in ranges: a file is sent in pieces, never held whole.

use std::io::SeekFrom;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::cycles::state_of;
use super::range::{Wanted, wanted};
use crate::domain::evidence::Excerpt;
use crate::engine::{LogText, logs_of};
use crate::web::call::{Answer, Call, ok};
use crate::web::forms::{LogForm, LogsForm};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// Of a log as it is sent.
const CHUNK: usize = 64 << 10;

/// `GET pipelines/{pipeline}/cycles/{cycle}/logs`
pub(in crate::web) async fn list(call: Call) -> Answer {
    let row = call.cycle().await?;
    let state = state_of(&call.site, &row).await?;
    let mut logs = Vec::new();
    for (number, log) in (1..).zip(logs_of(&state)) {
        logs.push(LogForm {
            log: number,
            phase: log.phase.to_string(),
            step: log.step,
            attempt: log.attempt,
            bytes: length(&call.site, &log.text).await,
            name: log.name,
            end: log.end.map(str::to_owned),
        });
    }
    ok(&LogsForm { logs, over: !state.may_run_steps() })
}

/// `GET pipelines/{pipeline}/cycles/{cycle}/logs/{log}`
pub(in crate::web) async fn one(call: Call) -> Answer {
    let row = call.cycle().await?;
    let state = state_of(&call.site, &row).await?;
    let given = call.parameter("log");
    let place = given.parse().ok().and_then(|log: usize| log.checked_sub(1));
    let log = place.and_then(|place| logs_of(&state).into_iter().nth(place)).ok_or_else(|| {
        Problem::not_found(format!("{} has no log {given:?}", row.key()))
            .help("the list of its logs is one step up in the address")
    })?;
    let range = call.header(RANGE.as_str());
    match &log.text {
        LogText::File(path) => from_file(&call.site.paths().root().join(path), range).await,
        LogText::Kept(kept) => from_text(text_of(*kept), range),
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

async fn from_file(path: &std::path::Path, range: Option<&str>) -> Answer {
    let gone = |fault: std::io::Error| match fault.kind() {
        std::io::ErrorKind::NotFound => {
            Problem::not_found("the log is not there: not yet, or no more")
        }
        _ => Problem::unavailable(format!("the log cannot be read: {}", fault.kind())),
    };
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
