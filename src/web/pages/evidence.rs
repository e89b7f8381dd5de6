//! `GET /pipelines/{pipeline}/cycles/{cycle}/cases/{case}`: what each attempt of a case saw.

mod line;

use http::StatusCode;
use serde::Serialize;

use super::frame::Frame;
use super::template;
use crate::domain::attempt::Attempt;
use crate::domain::event::{self, PlannedCase, Recorded};
use crate::domain::evidence::{self, EventsSeen, Exchange};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::findings::CaseFinding;
use crate::domain::names::CaseId;
use crate::domain::outcome::Outcome;
use crate::domain::state::CycleState;
use crate::web::api::cycles::folded;
use crate::web::call::{Answer, Call};
use crate::web::forms::time;
use crate::web::problem::Problem;
use line::{Line, Share, line, shares};

/// So many attempts, the last ones.
const ATTEMPTS: usize = 20;

#[derive(Serialize)]
struct Page<'a> {
    href: &'a str,
    here: &'a str,
    case: &'a str,
    planned: Option<&'a PlannedCase>,
    finding: Option<&'a CaseFinding>,
    attempts: Vec<Tried<'a>>,
    left_out: usize,
}

/// An attempt.
#[derive(Serialize)]
struct Tried<'a> {
    #[serde(flatten)]
    attempt: &'a Attempt,
    result: &'static str,
    began: String,
    /// What its failure says was expected.
    expected: Vec<Expected<'a>>,
    exchanges: Vec<Shown<'a>>,
    more_exchanges: u32,
    events: Vec<Came<'a>>,
}

/// Something that was expected.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Expected<'a> {
    /// Of what, where that is not said by what was.
    what: Option<&'a str>,
    value: &'a str,
}

/// An exchange, with its pictures.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    exchange: &'a Exchange,
    /// Its frames without that which closed it: how it was closed is told for itself.
    rows: Vec<&'a evidence::Frame>,
    shares: Vec<Share>,
    line: Option<Line<'a>>,
    more_frames: u32,
}

/// What a step expected of events: each once, with when it came.
#[derive(Serialize)]
struct Came<'a> {
    #[serde(flatten)]
    seen: &'a EventsSeen,
    came: usize,
    row: Vec<Event<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    wanted: usize,
    at: Vec<u64>,
}

/// `GET /pipelines/{pipeline}/cycles/{cycle}/cases/{case}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let row = call.cycle().await?;
    let given = call.parameter("case").to_owned();
    let case = CaseId::parse(&given).map_err(|fault| Problem::bad_request(fault.to_string()))?;
    let (name, number) = (&row.pipeline, row.summary.cycle);
    let events = call.site.store().load_events(&row.key(), 0).await?;
    let attempts = attempts(&events, &case);
    let state = folded(&row, events)?;
    let (planned, finding) = (planned(&state, &case), finding(&state, &case));
    if planned.is_none() && finding.is_none() && attempts.is_empty() {
        return Err(Problem::not_found(format!("cycle {number} of {name} has no case {case}"))
            .help("the page of the cycle lists its cases"));
    }
    let href = format!("/pipelines/{name}");
    let here = format!("{href}/cycles/{number}");
    let left_out = attempts.len().saturating_sub(ATTEMPTS);
    let own = Page {
        href: &href,
        here: &here,
        case: case.as_str(),
        planned,
        finding,
        attempts: attempts[left_out..].iter().rev().map(tried).collect(),
        left_out,
    };
    let title = format!("Cycle {number}");
    let crumbs = [(name.as_str(), &*href), (&*title, &*here), (case.as_str(), "")];
    let frame = Frame::of(&call, format!("{case} in cycle {number} of {name}")).under(&crumbs);
    Ok(template::page(StatusCode::OK, "evidence.html", &frame, &own))
}

/// With all that they saw: a state keeps what came over the wire of failures only.
fn attempts(events: &[Recorded], case: &CaseId) -> Vec<Attempt> {
    let attempt = |recorded: &Recorded| match &recorded.event {
        event::Event::AttemptFinished(attempt) if attempt.case == *case => {
            Some(attempt.as_ref().clone())
        }
        _ => None,
    };
    events.iter().filter_map(attempt).collect()
}

fn planned<'a>(state: &'a CycleState, case: &CaseId) -> Option<&'a PlannedCase> {
    state.planned().iter().find(|planned| planned.id == *case)
}

fn finding<'a>(state: &'a CycleState, case: &CaseId) -> Option<&'a CaseFinding> {
    let findings = &state.findings.as_ref()?.what.cases;
    findings.iter().find(|finding| finding.case == *case)
}

fn tried(attempt: &Attempt) -> Tried<'_> {
    let evidence = &attempt.evidence;
    let slowest = evidence.exchanges.iter().map(|it| it.timings.total_us).max().unwrap_or(0);
    let kept = u32::try_from(evidence.exchanges.len()).unwrap_or(u32::MAX);
    Tried {
        attempt,
        result: Outcome::from(attempt.result()).as_str(),
        began: time(attempt.started_at),
        expected: attempt.failure.as_deref().map(expected).unwrap_or_default(),
        exchanges: evidence.exchanges.iter().map(|it| shown(it, slowest)).collect(),
        more_exchanges: evidence.exchanges_total.saturating_sub(kept),
        events: evidence.events.iter().map(came).collect(),
    }
}

/// What a failure says was expected, each with its value. Of a socket or stream that ended too soon it
/// names what ended it as its subject, and what was still awaited as expected.
fn expected(failure: &Failure) -> Vec<Expected<'_>> {
    let Some(value) = failure.expected.as_deref() else { return Vec::new() };
    let subject = failure.subject.as_deref();
    let ended_early = match failure.class {
        FailureClass::WsClose => subject == Some("close code"),
        FailureClass::Connection => subject == Some("connection"),
        _ => false,
    };
    if ended_early {
        let open = Expected { what: Some("socket"), value: "open until then" };
        return match value.strip_prefix("events ") {
            Some(events) => vec![Expected { what: Some("events"), value: events }, open],
            None => vec![Expected { what: None, value }],
        };
    }
    let repeats = |subject: &str| {
        value.strip_prefix(subject).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    vec![Expected { what: subject.filter(|subject| !repeats(subject)), value }]
}

fn shown(exchange: &Exchange, slowest_us: u64) -> Shown<'_> {
    let kept = u32::try_from(exchange.frames.len()).unwrap_or(u32::MAX);
    Shown {
        exchange,
        rows: line::frames(exchange).collect(),
        shares: shares(&exchange.timings, slowest_us),
        line: line(exchange),
        more_frames: exchange.frames_total.saturating_sub(kept),
    }
}

fn came(seen: &EventsSeen) -> Came<'_> {
    let mut row: Vec<Event<'_>> = Vec::new();
    for name in seen.expected.iter().chain(&seen.forbidden) {
        match row.iter_mut().find(|known| known.name == name) {
            Some(known) => known.wanted += 1,
            None => row.push(Event { name, wanted: 1, at: Vec::new() }),
        }
    }
    for event in &mut row {
        let times = seen.seen.iter().filter(|(name, _)| name == event.name);
        event.at = times.map(|(_, at)| *at).collect();
    }
    Came { seen, came: seen.came(), row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Blame;

    #[test]
    fn what_was_expected_is_told_with_its_values() {
        let table = [
            (
                FailureClass::WsClose,
                "close code",
                "events a, b",
                "events: a, b; socket: open until then",
            ),
            (FailureClass::WsClose, "close code", "an open socket", "an open socket"),
            (FailureClass::WsClose, "close", "close 1000", "close 1000"),
            (
                FailureClass::Connection,
                "connection",
                "events a",
                "events: a; socket: open until then",
            ),
            (FailureClass::Assertion, "status", "200", "status: 200"),
            (FailureClass::Assertion, "$.kind", "events a", "$.kind: events a"),
            (FailureClass::Assertion, "close", "closely", "close: closely"),
        ];
        for (class, subject, value, says) in table {
            let failure = failure(class, Some(subject), Some(value));
            let told = expected(&failure).into_iter().map(|it| match it.what {
                Some(what) => format!("{what}: {}", it.value),
                None => it.value.to_owned(),
            });
            assert_eq!(told.collect::<Vec<_>>().join("; "), says, "{class} of {subject}");
        }
        assert_eq!(expected(&failure(FailureClass::Assertion, None, None)), []);
    }

    fn failure(class: FailureClass, subject: Option<&str>, expected: Option<&str>) -> Failure {
        Failure {
            class,
            blame: Blame::Service,
            message: "it failed".to_owned(),
            step: None,
            expected: expected.map(str::to_owned),
            actual: None,
            subject: subject.map(str::to_owned),
            repro: None,
        }
    }

    #[test]
    fn an_event_that_must_come_twice_is_one_column_with_all_its_times() {
        let text = |text: &str| text.to_owned();
        let seen = EventsSeen {
            step: text("stream"),
            expected: vec![text("chunk"), text("chunk"), text("end")],
            ordered: true,
            seen: vec![(text("chunk"), 3), (text("other"), 4), (text("chunk"), 9)],
            missing: vec![text("end")],
            forbidden: vec![],
            out_of_order: false,
        };
        let came = came(&seen);
        let row: Vec<_> = came.row.iter().map(|it| (it.name, it.wanted, &*it.at)).collect();
        assert_eq!(row, [("chunk", 2, &[3, 9][..]), ("end", 1, &[])]);
        assert_eq!(came.came, 2);
    }
}
