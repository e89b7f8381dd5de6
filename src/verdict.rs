//! Decisions about what was observed: does an answer hold what was expected, how did a case end,
//! what is the verdict of a cycle.
//!
//! Everything here is a pure function of its arguments. Nothing here may read a clock, open a
//! socket or know a runtime: observations come from `probe`, policies from the pipeline.

mod case;
mod cycle;
mod decide;
mod describe;
mod events;
mod extract;
mod finding;
mod http;
mod latency;
mod matcher;
mod message;
mod number;
mod quarantine;
mod reached;
mod reason;
mod rerun;
mod schema;
mod socket;
mod vacuous;

pub use case::{judge_case, may_retry, suspicious_pass};
pub use cycle::{CycleFacts, PlannedOutcome, judge_cycle};
pub use decide::decide;
pub use describe::{describe_duration, describe_matcher};
pub use events::{EventsEnd, EventsFold, Progress};
pub use extract::{ExtractError, extract_from_answer, extract_from_message};
pub use finding::{Finding, capped};
pub use http::{Answer, judge_http, judge_stream, judge_unfinished};
pub use latency::{judge_percentiles, percentiles};
pub use matcher::{JudgeError, Mismatch, judge_value};
pub use message::{Message, MessageFold};
pub use quarantine::{glob_matches, in_quarantine, selects};
pub use reached::{Attribution, CaseTraffic, ReportedRun, attribute, doubt_passes};
pub use reason::{Judged, reason};
pub use rerun::{deserves_rerun, deserves_rerun_as};
pub use socket::{Handshake, judge_close, judge_handshake};
