//! One request and its answer, for everything that is told by HTTP. Not for probing: nothing here is
//! evidence. No redirect is followed, so that no secret reaches another host.

use std::error::Error as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, Response, redirect::Policy};
use rustls::RootCertStore;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::fate::Refusal;
use crate::trust::{client_config, machine_roots};

/// From the name lookup to the end of the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// How much of an answer is read; a part of it is kept when it is a refusal.
const MAX_ANSWER: usize = 16 * 1024;
/// How much of an answer that was asked for: a page of comments, each as long as a forge takes.
const MAX_JSON: usize = 8 << 20;
/// How many characters of a refusal are kept.
const MAX_EXCERPT: usize = 200;

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
}

/// A request.
pub(super) struct Request {
    pub(super) verb: Verb,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// The clients, each made when first needed: reading the machine's roots takes a while, and many
/// daemons never tell anybody anything.
#[derive(Default)]
pub(super) struct Http {
    plain: OnceCell<Client>,
    tls: OnceCell<Client>,
}

impl Http {
    /// Sends a request whose answer says nothing more. One that is no success is a refusal.
    pub(super) async fn send(&self, request: Request, now: Timestamp) -> Result<(), Refusal> {
        within(async { self.exchange(request, now).await.map(drop) }).await
    }

    /// Asks a question, and reads the answer, which is JSON.
    pub(super) async fn ask(&self, request: Request, now: Timestamp) -> Result<Value, Refusal> {
        within(async {
            let answer = read(self.exchange(request, now).await?, MAX_JSON).await;
            let cut = answer.len() >= MAX_JSON;
            serde_json::from_slice(&answer).map_err(|fault| match cut {
                true => Refusal::Never(format!("an answer of more than {MAX_JSON} bytes")),
                false => Refusal::Later(format!("an answer that is no JSON: {fault}")),
            })
        })
        .await
    }

    async fn exchange(&self, asked: Request, now: Timestamp) -> Result<Response, Refusal> {
        let url = url::Url::parse(&asked.url)
            .map_err(|fault| Refusal::Never(format!("its address cannot be used: {fault}")))?;
        let client = self.client(url.scheme()).await.map_err(Refusal::Later)?;
        let verb = match asked.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
        };
        let mut request = client
            .request(verb, url)
            .header("content-type", "application/json")
            .header("accept", "application/json, */*");
        for (name, value) in asked.headers {
            request = request.header(name, value);
        }
        let answer = request.body(asked.body).send().await.map_err(|fault| unanswered(&fault))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let retry_after = wanted_pause(status.as_u16(), answer.headers(), now);
        let excerpt = excerpt(answer).await;
        Err(Refusal::Answered { status: status.as_u16(), retry_after, excerpt })
    }

    async fn client(&self, scheme: &str) -> Result<&Client, String> {
        match scheme {
            "http" => self.plain.get_or_try_init(async || build(RootCertStore::empty())).await,
            _ => self.tls.get_or_try_init(with_native_roots).await,
        }
    }
}

async fn with_native_roots() -> Result<Client, String> {
    let made = tokio::task::spawn_blocking(|| machine_roots().and_then(build));
    made.await.map_err(|fault| fault.to_string())?
}

fn build(roots: RootCertStore) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(client_config(roots)?)
        .redirect(Policy::none())
        .referer(false)
        // A connection that waited for hours may be dead, and news are rare.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("andon/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|fault| fault.to_string())
}

/// Why no answer came, without the address: that may be a secret.
fn unanswered(fault: &reqwest::Error) -> Refusal {
    let mut innermost = fault.source();
    while let Some(deeper) = innermost.and_then(std::error::Error::source) {
        innermost = Some(deeper);
    }
    let why = innermost.map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    if fault.is_builder() { Refusal::Never(why) } else { Refusal::Later(why) }
}

/// How long a receiver asks to wait: `Retry-After` of a 429 or 503 (RFC 9110, 10.2.3), or the end of
/// the window of a forge's limit.
fn wanted_pause(status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let until =
        |at: Timestamp| Duration::try_from(at.duration_since(now).max(SignedDuration::ZERO));
    match status {
        429 | 503 | 403 => {}
        _ => return None,
    }
    if let Some(after) = text(RETRY_AFTER.as_str()) {
        if let Ok(seconds) = after.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(after).ok()?;
        return until(at).ok();
    }
    let used_up = text("x-ratelimit-remaining") == Some("0");
    let reset = text("x-ratelimit-reset").filter(|_| used_up)?.parse().ok()?;
    until(Timestamp::from_second(reset).ok()?).ok()
}

/// The beginning of what a refusal says.
async fn excerpt(answer: Response) -> String {
    let read = read(answer, MAX_ANSWER).await;
    super::message::one_line(&String::from_utf8_lossy(&read), MAX_EXCERPT)
}

/// At most so many bytes of an answer.
async fn read(mut answer: Response, max: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < max
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        read.extend_from_slice(&chunk[..chunk.len().min(max - read.len())]);
    }
    read
}

async fn within<T>(exchange: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    match tokio::time::timeout(DEADLINE, exchange).await {
        Ok(done) => done,
        Err(_) => Err(Refusal::Later(format!("no answer within {DEADLINE:?}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pause(status: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
        let now = Timestamp::from_second(1_445_412_480 - 60).unwrap();
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect();
        wanted_pause(status, &headers, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_wanted_pause_is_read_in_every_form() {
        type Row<'a> = (u16, &'a [(&'static str, &'a str)], Option<u64>);
        let table: &[Row<'_>] = &[
            (429, &[("retry-after", "7")], Some(7)),
            (503, &[("retry-after", " 120 ")], Some(120)),
            (429, &[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], Some(60)),
            (429, &[("retry-after", "Wed, 21 Oct 2014 07:28:00 GMT")], None),
            (429, &[("retry-after", "Tue, 21 Oct 2014 07:28:00 GMT")], Some(0)),
            // RELIABILITY C6: a leap second is one that was read, not one that fails.
            (429, &[("retry-after", "Wed, 21 Oct 2015 07:27:60 GMT")], Some(59)),
            (429, &[("retry-after", "soon")], None),
            (500, &[("retry-after", "7")], None),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1445412490")], Some(70)),
            (403, &[("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", "1445412490")], None),
            (429, &[], None),
        ];
        for (status, headers, expected) in table {
            assert_eq!(pause(*status, headers), *expected, "{status} {headers:?}");
        }
    }
}
