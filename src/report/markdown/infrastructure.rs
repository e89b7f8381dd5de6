//! Part 7: endpoints that are not there.
//!
//! A refusal that a case expects is no missing endpoint. So only answers that made a case fail count:
//! those of the step that failed, in the deciding attempt of a failing case, and only when the
//! failure is about the answer as such (its status, a refused handshake, no answer at all) or the
//! answer is a 5xx, which nobody expects by accident. Of a step that asked again and again the last
//! answer counts. A request that the pipeline's own `hosts` refused says nothing about a service, so
//! it stands apart.

use std::collections::BTreeMap;

use super::page::Page;
use super::{MAX_ROWS, cut_note};
use crate::domain::escape;
use crate::domain::evidence::Exchange;
use crate::domain::failure::{Failure, FailureClass, HOSTS_SUBJECT, REQUEST_SUBJECT};
use crate::domain::names::CaseId;
use crate::domain::spec::Priority;
use crate::report::view::{CaseView, View};
use crate::report::words;

/// An endpoint: the method, and the address without its query. A list of endpoints, not of requests.
type Endpoint<'a> = (&'a str, &'a str);

/// At most so many cases or endpoints are named in one place.
const SHOWN: usize = 5;

/// What an endpoint answered that it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer<'a> {
    Status(u16),
    Nothing(&'a str),
    /// We did not ask: the pipeline's `hosts` forbid it.
    NotAllowed,
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
    let mut refused: BTreeMap<Endpoint<'_>, Vec<&CaseId>> = BTreeMap::new();
    for case in view.cases.iter().filter(|case| case.is_failing()) {
        for (endpoint, answer) in answers(case) {
            let answer = match answer {
                Answer::NotAllowed => {
                    refused.entry(endpoint).or_default().push(case.id);
                    continue;
                }
                Answer::Status(_) | Answer::Nothing(_) => (endpoint, answer),
            };
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
    } else {
        table(page, view, found);
    }
    if !refused.is_empty() {
        page.block(&not_asked(&refused));
    }
}

/// What our own allow-list kept us from asking.
fn not_asked(refused: &BTreeMap<Endpoint<'_>, Vec<&CaseId>>) -> String {
    let named = refused.iter().take(SHOWN).map(|((method, address), cases)| {
        let endpoint = escape::cell_code(&format!("{method} {address}"));
        format!("{endpoint} (for {})", case_names(cases))
    });
    let mut named: Vec<String> = named.collect();
    if refused.len() > SHOWN {
        named.push(format!("{} more", words::number((refused.len() - SHOWN) as u64)));
    }
    format!("Not asked, as the pipeline's `hosts` do not allow it: {}.", named.join(", "))
}

fn table<'a>(
    page: &mut Page,
    view: &View<'_>,
    found: BTreeMap<(Endpoint<'a>, Answer<'a>), Missing<'a>>,
) {
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(_, missing)| (missing.priority, std::cmp::Reverse(missing.cases.len())));
    let shown = found.iter().take(MAX_ROWS);
    let rows: Vec<Vec<String>> =
        shown.map(|((endpoint, answer), missing)| row(*endpoint, *answer, missing)).collect();
    page.table(&["endpoint", "answered", "cases that need it", "priority"], &rows);
    page.block(&cut_note(view, found.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
}

fn row(endpoint: Endpoint<'_>, answer: Answer<'_>, missing: &Missing<'_>) -> Vec<String> {
    let answered = match answer {
        Answer::Status(status) => status.to_string(),
        Answer::Nothing(error) => no_answer(error),
        Answer::NotAllowed => "not asked".to_owned(),
    };
    let priority = missing.priority.map_or_else(|| "–".to_owned(), |p| p.to_string());
    let endpoint = escape::cell_code(&format!("{} {}", endpoint.0, endpoint.1));
    vec![endpoint, answered, case_names(&missing.cases), priority]
}

/// Why nothing was answered; an error that says so itself says it once.
fn no_answer(error: &str) -> String {
    let error = escape::cell(error);
    if error.starts_with("no answer") { error } else { format!("no answer: {error}") }
}

fn case_names(cases: &[&CaseId]) -> String {
    let mut names: Vec<String> =
        cases.iter().take(SHOWN).map(|id| escape::cell_code(id.as_str())).collect();
    if cases.len() > SHOWN {
        names.push(format!("{} more", words::number((cases.len() - SHOWN) as u64)));
    }
    names.join(", ")
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
        None if failure.subject.as_deref() == Some(HOSTS_SUBJECT) => Some(Answer::NotAllowed),
        // A request that could not be made asked nobody: no endpoint is missing.
        None if failure.subject.as_deref() == Some(REQUEST_SUBJECT) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_there_was_no_answer_is_said_once() {
        assert_eq!(no_answer("a:1 cut the connection"), "no answer: a:1 cut the connection");
        assert_eq!(no_answer("no answer from a:1 within 5s"), "no answer from a:1 within 5s");
    }
}
