//! Part 7: endpoints that are not there.
//!
//! A refusal that a case expects is no missing endpoint. So only answers that made a case fail count:
//! those of the step that failed, in the deciding attempt of a failing case, and only when the
//! failure is about the answer as such (its status, a refused handshake, no answer at all) or the
//! answer is a 5xx, which nobody expects by accident. Of a step that asked again and again the last
//! answer counts.

use std::collections::BTreeMap;

use super::page::Page;
use super::{MAX_ROWS, cut_note};
use crate::domain::escape;
use crate::domain::evidence::Exchange;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::names::CaseId;
use crate::domain::spec::Priority;
use crate::report::view::{CaseView, View};
use crate::report::words;

/// An endpoint: the method, and the address without its query. A list of endpoints, not of requests.
type Endpoint<'a> = (&'a str, &'a str);

/// What an endpoint answered that it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer<'a> {
    Status(u16),
    Nothing(&'a str),
}

struct Missing<'a> {
    /// The cases that failed on it, each once, in the order of the plan.
    cases: Vec<&'a CaseId>,
    priority: Option<Priority>,
}

pub fn write(page: &mut Page, view: &View<'_>) {
    if view.counts().ran() == 0 {
        return;
    }
    page.section("Missing infrastructure");
    let mut found: BTreeMap<(Endpoint<'_>, Answer<'_>), Missing<'_>> = BTreeMap::new();
    for case in view.cases.iter().filter(|case| case.is_failing()) {
        for answer in answers(case) {
            let entry = found
                .entry(answer)
                .or_insert(Missing { cases: Vec::new(), priority: case.priority() });
            entry.cases.push(case.id);
            entry.priority = entry.priority.min(case.priority());
        }
    }
    if found.is_empty() {
        page.block(
            "None: no case failed on 404, 403, 405, 501, 5xx or an endpoint that did not answer.",
        );
        return;
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(_, missing)| (missing.priority, std::cmp::Reverse(missing.cases.len())));
    let shown = found.iter().take(MAX_ROWS);
    let rows: Vec<Vec<String>> =
        shown.map(|((endpoint, answer), missing)| row(*endpoint, *answer, missing)).collect();
    page.table(&["endpoint", "answered", "cases that need it", "priority"], &rows);
    page.block(&cut_note(view, found.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
}

fn row(endpoint: Endpoint<'_>, answer: Answer<'_>, missing: &Missing<'_>) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut cases: Vec<String> =
        missing.cases.iter().take(SHOWN).map(|id| escape::cell_code(id.as_str())).collect();
    if missing.cases.len() > SHOWN {
        cases.push(format!("{} more", words::number((missing.cases.len() - SHOWN) as u64)));
    }
    let answered = match answer {
        Answer::Status(status) => status.to_string(),
        Answer::Nothing(error) => format!("no answer: {}", escape::cell(error)),
    };
    let priority = missing.priority.map_or_else(|| "–".to_owned(), |p| p.to_string());
    let endpoint = escape::cell_code(&format!("{} {}", endpoint.0, endpoint.1));
    vec![endpoint, answered, cases.join(", "), priority]
}

fn answers<'a>(case: &CaseView<'a>) -> Vec<(Endpoint<'a>, Answer<'a>)> {
    let (Some(attempt), Some(failure)) = (case.deciding(), case.failure()) else {
        return Vec::new();
    };
    let mut last: Vec<(Endpoint<'a>, &'a Exchange)> = Vec::new();
    for exchange in attempt.evidence.exchanges.iter().filter(|e| is_of_step(e, failure)) {
        let endpoint = endpoint(exchange);
        match last.iter_mut().find(|(known, _)| *known == endpoint) {
            Some((_, latest)) => *latest = exchange,
            None => last.push((endpoint, exchange)),
        }
    }
    last.into_iter()
        .filter_map(|(endpoint, exchange)| Some((endpoint, answered(exchange, failure)?)))
        .collect()
}

fn is_of_step(exchange: &Exchange, failure: &Failure) -> bool {
    failure.step.as_ref().is_none_or(|step| exchange.step == *step)
}

fn endpoint(exchange: &Exchange) -> Endpoint<'_> {
    let address = exchange.url.split(['?', '#']).next().unwrap_or_default();
    (&exchange.method, address)
}

fn answered<'a>(exchange: &'a Exchange, failure: &Failure) -> Option<Answer<'a>> {
    match exchange.status {
        Some(status @ 500..=599) => Some(Answer::Status(status)),
        Some(status @ 403..=405) if is_about_the_answer(failure.class) => {
            Some(Answer::Status(status))
        }
        Some(_) => None,
        None if is_about_the_answer(failure.class) => {
            Some(Answer::Nothing(exchange.error.as_deref().unwrap_or("nothing came")))
        }
        None => None,
    }
}

fn is_about_the_answer(class: FailureClass) -> bool {
    match class {
        FailureClass::HttpStatus
        | FailureClass::Auth
        | FailureClass::WsRefused
        | FailureClass::Timeout
        | FailureClass::Connection
        | FailureClass::Dns
        | FailureClass::Tls
        | FailureClass::Setup => true,
        FailureClass::Assertion
        | FailureClass::Schema
        | FailureClass::Latency
        | FailureClass::WsClose
        | FailureClass::MissingEvent
        | FailureClass::UnexpectedEvent
        | FailureClass::EventOrder
        | FailureClass::Command
        | FailureClass::Reported
        | FailureClass::Blocked => false,
    }
}
