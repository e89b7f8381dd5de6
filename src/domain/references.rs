//! Which names a step refers to: for logins that must be had first, for cases that depend on what
//! setup should have captured, and for what belongs to one run alone.

use super::spec::{
    Action, Body, Case, Condition, EventsExpect, Expect, HttpRequest, Matcher, Step, WsMessage,
    WsStep,
};
use super::template::{JsonTemplate, Template};

/// Takes one name.
pub type Visit<'v> = &'v mut dyn FnMut(&str);

/// Visits every name that any step of a case refers to.
pub fn visit_case(case: &Case, visit: Visit<'_>) {
    for step in &case.steps {
        visit_step(step, visit);
    }
}

/// Visits every name that a step refers to, expectations included.
pub fn visit_step(step: &Step, visit: Visit<'_>) {
    visit_action(&step.action, visit);
    visit_expect(&step.expect, visit);
}

/// Visits every name that what a step does refers to.
pub fn visit_action(action: &Action, visit: Visit<'_>) {
    match action {
        Action::Http(request) => visit_request(request, visit),
        Action::Sse(stream) => visit_request(&stream.request, visit),
        Action::Ws(ws) => visit_ws(ws, visit),
    }
}

/// Visits every name that a request refers to.
pub fn visit_request(request: &HttpRequest, visit: Visit<'_>) {
    text(&request.url, visit);
    for (_, value) in request.headers.iter().chain(&request.query) {
        text(value, visit);
    }
    if let Some(basic) = &request.basic {
        text(&basic.username, visit);
        text(&basic.password, visit);
    }
    if let Some(bearer) = &request.bearer {
        text(bearer, visit);
    }
    match &request.body {
        None | Some(Body::File(_)) => {}
        Some(Body::Json(value)) => json(value, visit),
        Some(Body::Text(value)) => text(value, visit),
        Some(Body::Form(fields)) => fields.iter().for_each(|(_, value)| text(value, visit)),
        Some(Body::Multipart(parts)) => {
            parts.iter().filter_map(|p| p.text.as_ref()).for_each(|value| text(value, visit));
        }
    }
}

fn visit_ws(ws: &WsStep, visit: Visit<'_>) {
    if let Some(open) = &ws.open {
        text(&open.url, visit);
        open.headers.iter().for_each(|(_, value)| text(value, visit));
        open.subprotocols.iter().for_each(|value| text(value, visit));
    }
    for message in &ws.send {
        match message {
            WsMessage::Json(value) => json(value, visit),
            WsMessage::Text(value) => text(value, visit),
        }
    }
    if let Some(reason) = ws.close.as_ref().and_then(|close| close.reason.as_ref()) {
        text(reason, visit);
    }
}

/// Visits every name that expectations refer to.
pub fn visit_expect(expect: &Expect, visit: Visit<'_>) {
    let refused = expect.refused.as_ref().and_then(|refused| refused.status.as_ref());
    let lone = [expect.status.as_ref(), expect.body.as_ref(), expect.subprotocol.as_ref(), refused];
    lone.into_iter().flatten().for_each(|m| matcher(m, visit));
    expect.headers.iter().for_each(|(_, m)| matcher(m, visit));
    expect.json.iter().for_each(|(_, m)| matcher(m, visit));
    if let Some(close) = &expect.close {
        matcher(&close.code, visit);
    }
    if let Some(events) = &expect.events {
        visit_events(events, visit);
    }
}

fn visit_events(events: &EventsExpect, visit: Visit<'_>) {
    events.all.iter().chain(&events.none).for_each(|name| text(name, visit));
    events.filter.iter().for_each(|(_, m)| matcher(m, visit));
}

fn matcher(m: &Matcher, visit: Visit<'_>) {
    for condition in &m.conditions {
        match condition {
            Condition::Equals(value)
            | Condition::Contains(value)
            | Condition::Compare(_, value) => json(value, visit),
            Condition::Matches(pattern) => text(pattern, visit),
            Condition::OneOf(values) => values.iter().for_each(|value| json(value, visit)),
            Condition::Not(inner) | Condition::Length(inner) | Condition::Each(inner) => {
                matcher(inner, visit);
            }
            Condition::Exists(_) | Condition::Type(_) | Condition::Schema(_) => {}
        }
    }
}

fn text(template: &Template, visit: Visit<'_>) {
    template.references().for_each(visit);
}

fn json(template: &JsonTemplate, visit: Visit<'_>) {
    template.for_each_reference(&mut |name| visit(name));
}
