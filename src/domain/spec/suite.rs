//! The suite: cases, their steps, and what must hold of each.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Command;
use super::http::{HttpRequest, SseRequest, WsStep};
use super::matcher::{DurationBound, Extract, JsonPath, Matcher, Percentile, SchemaRef};
use crate::domain::names::CaseId;
use crate::domain::template::Template;

/// The tests that decide the verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Suite {
    /// Its name, `P1`.
    pub name: String,
    /// What is final by then counts; the rest is not run.
    pub timeout: Duration,
    /// How many cases run side by side.
    pub concurrency: u32,
    /// Further attempts of a failing case, in the same cycle.
    pub retries: u32,
    /// What a flaky case means for the verdict.
    pub flaky: FlakyPolicy,
    /// What a pass that looks too good means for the verdict.
    pub suspicious: SuspiciousPolicy,
    /// Another number of planned cases makes the cycle void.
    pub expected_cases: Option<u32>,
    /// Native cases, by the file they stand in.
    pub groups: Vec<CaseGroup>,
    /// Tests that other tools run.
    pub commands: Vec<SuiteCommand>,
    /// Cases that run and are reported but do not decide the verdict.
    pub quarantine: Vec<Quarantine>,
    /// The digest of all of the above that defines the cases (twelve hex digits).
    pub digest: String,
}

impl Suite {
    /// Every native case, in the order written.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.groups.iter().flat_map(|group| &group.cases)
    }
}

/// What a flaky case means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlakyPolicy {
    /// It counts as passed.
    Pass,
    /// It makes the cycle red.
    Fail,
}

/// What a pass that looks too good means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspiciousPolicy {
    /// The report says so.
    Warn,
    /// It makes the cycle red.
    Fail,
}

/// The native cases of one file, with what surrounds them.
#[derive(Debug, Clone, Serialize)]
pub struct CaseGroup {
    /// The file.
    pub file: PathBuf,
    /// Runs once before any case; its captures are there for every case of the suite.
    pub setup: Vec<Step>,
    /// Always runs, after the last case.
    pub teardown: Vec<Step>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One native test.
#[derive(Debug, Clone, Serialize)]
pub struct Case {
    /// Its identity across runs.
    pub id: CaseId,
    /// Earlier ids.
    pub was: Vec<CaseId>,
    /// For people; the id where none was given.
    pub name: String,
    /// Groups the report.
    pub area: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// Who looks after it.
    pub owner: Option<String>,
    /// What it means for the business when it fails.
    pub impact: Option<String>,
    /// The deadline of one attempt.
    pub timeout: Duration,
    /// Cases without which it makes no sense.
    pub needs: Vec<CaseId>,
    /// How its steps are run.
    pub shape: Shape,
    /// Bounds on percentiles over its runs.
    pub latency: Vec<(Percentile, DurationBound)>,
    /// The steps, at least one.
    pub steps: Vec<Step>,
    /// The digest of what it does (twelve hex digits): steps, shape, bounds; not its name, area or priority.
    pub digest: String,
}

/// How much a case matters, 1 (most) to 6.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Priority(u8);

impl Priority {
    /// The highest.
    pub const P1: Self = Self(1);

    /// Reads `P1` … `P6`.
    pub fn parse(text: &str) -> Option<Self> {
        let level: u8 = text.strip_prefix(['P', 'p'])?.parse().ok()?;
        (1..=6).contains(&level).then_some(Self(level))
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "P{}", self.0)
    }
}

impl From<Priority> for String {
    fn from(priority: Priority) -> Self {
        priority.to_string()
    }
}

impl TryFrom<String> for Priority {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not one of P1 … P6"))
    }
}

/// How the steps of a case are run within one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Once.
    Once,
    /// Side by side.
    Parallel {
        /// How many.
        times: u32,
        /// How many must pass.
        quorum: u32,
    },
    /// One after another.
    Repeat {
        /// How many.
        times: u32,
        /// Time from the end of one to the start of the next.
        every: Duration,
    },
}

/// One step of a case, of setup or of teardown.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Its name; `step 2 (http)` where none was given.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// What must hold.
    pub expect: Expect,
    /// What later steps want to know.
    pub capture: Vec<Capture>,
    /// Again until the expectations hold.
    pub eventually: Option<Eventually>,
    /// The step's own deadline, within the case's.
    pub timeout: Option<Duration>,
}

/// What a step does.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// An HTTP request.
    Http(Box<HttpRequest>),
    /// Something on a WebSocket.
    Ws(Box<WsStep>),
    /// A server-sent stream.
    Sse(Box<SseRequest>),
}

/// A value to keep under a name. On sockets: from the first message that has it.
#[derive(Debug, Clone, Serialize)]
pub struct Capture {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub from: Extract,
}

/// Try again until the expectations hold.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Eventually {
    /// For so long.
    pub within: Duration,
    /// With so much time between two tries.
    pub every: Duration,
}

/// What must hold of a step. Where `status` is not given, 2xx (http, sse) or an open socket (ws) is expected.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Expect {
    /// The HTTP status; a list in the file is `one_of`.
    pub status: Option<Matcher>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, Matcher)>,
    /// Values within a JSON body, or within any one message of a socket step.
    pub json: Vec<(JsonPath, Matcher)>,
    /// The body as text.
    pub body: Option<Matcher>,
    /// The whole body against a JSON Schema.
    pub schema: Option<SchemaRef>,
    /// The whole exchange; on a WebSocket the handshake.
    pub latency: Option<DurationBound>,
    /// From the request to the first byte of the answer's body or the first event.
    pub first_byte: Option<DurationBound>,
    /// The certificate.
    pub tls: Option<TlsExpect>,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<Matcher>,
    /// Events on a socket or stream.
    pub events: Option<EventsExpect>,
    /// The handshake is refused; together with `close`: either of both.
    pub refused: Option<RefusedExpect>,
    /// The server closes the socket (`or_close`, `close`).
    pub close: Option<CloseExpect>,
}

/// A certificate that must be good for a while yet.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TlsExpect {
    /// Time until it expires.
    pub expires_in: DurationBound,
}

/// A WebSocket handshake that must be refused.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedExpect {
    /// The status of the refusal; `None` takes any that is not 101.
    pub status: Option<Matcher>,
}

/// A socket that the server must close.
#[derive(Debug, Clone, Serialize)]
pub struct CloseExpect {
    /// The close code.
    pub code: Matcher,
    /// By then, from the end of the handshake and of what the step sends.
    pub within: Duration,
}

/// Events that must come, and events that must not.
#[derive(Debug, Clone, Serialize)]
pub struct EventsExpect {
    /// What an event's name is: a value within a JSON message …
    pub by: EventName,
    /// The deadline, from the step's start.
    pub within: Duration,
    /// Whether the events must come in the order listed; others may stand between them.
    pub ordered: bool,
    /// Names that must come. The same name twice must come twice.
    pub all: Vec<Template>,
    /// Names that must not come before the last of `all`, or before `within` where `all` is empty.
    pub none: Vec<Template>,
    /// Only messages that match count.
    pub filter: Vec<(JsonPath, Matcher)>,
}

/// What an event's name is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventName {
    /// A value within a JSON message (or within the `data` of a server-sent event).
    Json(JsonPath),
    /// The `event` field of a server-sent event; `message` where there is none.
    SseEvent,
}

/// A case that runs and is reported but does not decide the verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Quarantine {
    /// A glob over case ids.
    pub case: String,
    /// Who sees to it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, UTC.
    pub until: jiff::civil::Date,
}

/// Tests that another tool runs.
#[derive(Debug, Clone, Serialize)]
pub struct SuiteCommand {
    /// Its name.
    pub name: String,
    /// The command.
    pub run: Command,
    /// After which its whole process tree is ended.
    pub timeout: Duration,
    /// Where results are found: format and glob.
    pub results: Vec<(String, String)>,
    /// Prints the planned ids.
    pub list: Option<Command>,
    /// Runs only the failing ids.
    pub rerun: Option<Command>,
    /// Whether its traffic is to be counted by a proxy.
    pub observe_proxy: bool,
    /// In how many parts it runs.
    pub shards: u32,
    /// Variables of the command's environment.
    pub env: Vec<(String, String)>,
    /// Names of our own environment's variables to pass on.
    pub env_pass: Vec<String>,
    /// Groups the report.
    pub area: Option<String>,
    /// How much its cases matter.
    pub priority: Priority,
    /// Who looks after them.
    pub owner: Option<String>,
    /// What it means for the business when one fails.
    pub impact: Option<String>,
    /// The digest of what it does (twelve hex digits); not its name, area or priority.
    pub digest: String,
}
