//! What an ideal service would answer to a step: everything that the step expects, and no more.

use std::borrow::Cow;

use serde_json::Value;

use super::document::{Body, Wanted, body};
use super::example::{Fresh, Unmet, example};
use crate::domain::spec::{
    Action, Condition, EventName, EventsExpect, Expect, Extract, JsonPath, Matcher, SchemaRef,
    Step, WsOpen,
};
use crate::domain::template::{JsonTemplate, Lookup, Template, text_of};
use crate::verdict::judge_value;

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEvent {
    /// Its `event` field.
    pub name: Option<String>,
    /// Its `data`, one line.
    pub data: String,
}

/// What a service does at one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// Answers a request, or refuses a handshake.
    Answer(Reply),
    /// Answers with a stream.
    Stream {
        /// Its head.
        head: Reply,
        /// Its events; then it ends.
        events: Vec<StreamEvent>,
    },
    /// Sends on a socket, which it takes first where the step opens one.
    Socket {
        /// Headers of the handshake; `None` goes on with an open socket.
        open: Option<Vec<(String, String)>>,
        /// The name under which the case keeps it.
        session: Option<String>,
        /// Frames to send.
        frames: Vec<String>,
        /// The code to close it with after them.
        close: Option<u16>,
    },
}

/// Whether an answer could be made up.
pub type Ideal = Result<Script, NoExample>;

/// Why no ideal answer can be made up.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NoExample {
    /// Nothing fits a matcher.
    #[error("{subject}: {fault}")]
    Unmet {
        /// What of the answer.
        subject: String,
        /// Why nothing fits.
        fault: String,
    },
    /// A path that names no place that could be filled.
    #[error("{0} does not name one place that could be filled")]
    Path(String),
    /// A pattern.
    #[error("no text that fits {0:?} could be made up")]
    Pattern(String),
    /// Expectations that stand in each other's way, as far as we could tell.
    #[error("{0} could not be met together with the rest")]
    Together(String),
}

impl NoExample {
    pub(super) fn unmet(subject: &str, fault: &Unmet) -> Self {
        Self::Unmet { subject: subject.to_owned(), fault: fault.to_string() }
    }
}

/// What an ideal service would do at a step.
///
/// # Errors
/// What of it could not be made up.
pub fn perfect(step: &Step, lookup: &dyn Lookup, fresh: &mut Fresh) -> Ideal {
    let maker = &mut Maker { step, lookup, fresh };
    match &step.action {
        Action::Http(_) => maker.answer(200),
        Action::Sse(_) => maker.stream(),
        Action::Ws(ws) => maker.socket(ws.open.as_ref(), ws.session.clone()),
    }
}

/// The first status that fits, beginning with the usual one.
pub(super) fn status_of(matcher: Option<&Matcher>, usual: u16, lookup: &dyn Lookup) -> Option<u16> {
    let Some(matcher) = matcher else { return Some(usual) };
    let fits = |status: &u16| {
        judge_value(Some(&Value::from(*status)), matcher, lookup).is_ok_and(|found| found.is_none())
    };
    [usual].into_iter().chain(200..=599).chain(101..=199).find(fits)
}

struct Maker<'a> {
    step: &'a Step,
    lookup: &'a dyn Lookup,
    fresh: &'a mut Fresh,
}

impl Maker<'_> {
    fn answer(&mut self, usual: u16) -> Ideal {
        let expect = &self.step.expect;
        let wanted = Self::wanted(self.step, expect.schema.as_ref());
        let body = body(&wanted, self.lookup, self.fresh)?;
        let status = self.status(expect.status.as_ref(), usual)?;
        let kind = if body.is_json { "application/json" } else { "text/plain; charset=utf-8" };
        Ok(Script::Answer(Reply { status, headers: self.headers(kind)?, body: body.text }))
    }

    fn status(&self, matcher: Option<&Matcher>, usual: u16) -> Result<u16, NoExample> {
        let none = || NoExample::unmet("status", &Unmet::NoValue);
        status_of(matcher, usual, self.lookup).ok_or_else(none)
    }

    /// What the body of the answer, or some one message, must hold.
    fn wanted<'s>(step: &'s Step, schema: Option<&'s SchemaRef>) -> Wanted<'s> {
        let expect = &step.expect;
        Wanted {
            values: expect.json.iter().map(|(path, matcher)| (path, matcher.clone())).collect(),
            text: expect.body.as_ref(),
            schema,
            captures: step.capture.iter().map(|capture| &capture.from).collect(),
        }
    }

    fn headers(&mut self, content_type: &str) -> Result<Vec<(String, String)>, NoExample> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, matcher) in &self.step.expect.headers {
            let usual = Value::from(content_type);
            let is_usual = name == "content-type"
                && judge_value(Some(&usual), matcher, self.lookup).is_ok_and(|f| f.is_none());
            if is_usual {
                continue;
            }
            let subject = format!("header {name}");
            let value = example(matcher, self.lookup, self.fresh)
                .map_err(|fault| NoExample::unmet(&subject, &fault))?;
            headers.extend(value.map(|value| (name.clone(), text_of(&value))));
        }
        for capture in &self.step.capture {
            if let Extract::Header(name) = &capture.from
                && !headers.iter().any(|(known, _)| known == name)
            {
                headers.push((name.clone(), self.fresh.id()));
            }
        }
        if !content_type.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        Ok(headers)
    }

    fn stream(&mut self) -> Ideal {
        let status = self.status(self.step.expect.status.as_ref(), 200)?;
        if !(200..=299).contains(&status) {
            return self.answer(status);
        }
        let headers = self.headers("text/event-stream")?;
        let events = self.messages()?;
        Ok(Script::Stream { head: Reply { status, headers, body: String::new() }, events })
    }

    fn socket(&mut self, open: Option<&WsOpen>, session: Option<String>) -> Ideal {
        let expect = &self.step.expect;
        let refusal = expect.refused.as_ref().map(|refused| refused.status.as_ref());
        let refusal = match (refusal, &expect.status) {
            (Some(matcher), _) => Some(self.status(matcher, 403)?),
            (None, Some(matcher)) if open.is_some() => {
                Some(self.status(Some(matcher), 101)?).filter(|status| *status != 101)
            }
            (None, _) => None,
        };
        if let Some(status) = refusal.filter(|_| open.is_some()) {
            let body = r#"{"error":"refused"}"#.to_owned();
            return Ok(Script::Answer(Reply { status, headers: Vec::new(), body }));
        }
        let head = open.map(|open| self.handshake(open)).transpose()?;
        let frames = self.messages()?.into_iter().map(|event| event.data).collect();
        let close = match &expect.close {
            Some(close) => Some(self.close_code(&close.code)?),
            None => None,
        };
        Ok(Script::Socket { open: head, session, frames, close })
    }

    fn handshake(&mut self, open: &WsOpen) -> Result<Vec<(String, String)>, NoExample> {
        let mut headers = self.headers("")?;
        let chosen = match &self.step.expect.subprotocol {
            Some(matcher) => example(matcher, self.lookup, self.fresh)
                .map_err(|fault| NoExample::unmet("subprotocol", &fault))?
                .map(|value| text_of(&value)),
            None => open.subprotocols.first().and_then(|name| name.render(self.lookup).ok()),
        };
        headers.extend(chosen.map(|name| ("sec-websocket-protocol".to_owned(), name)));
        Ok(headers)
    }

    fn close_code(&self, matcher: &Matcher) -> Result<u16, NoExample> {
        let fits = |code: &u16| {
            let judged = judge_value(Some(&Value::from(*code)), matcher, self.lookup);
            judged.is_ok_and(|found| found.is_none())
        };
        // Those that may be sent (RFC 6455, 7.4).
        let codes = (1000..=1003).chain(1007..=1014).chain(3000..=4999);
        codes.into_iter().find(fits).ok_or_else(|| NoExample::unmet("close", &Unmet::NoValue))
    }

    /// The messages that a step waits for: one an event, the values that some message must hold and
    /// what is captured in the last that can hold them; or one message where no event is expected.
    fn messages(&mut self) -> Result<Vec<StreamEvent>, NoExample> {
        let wanted = Self::wanted(self.step, None);
        let Some(events) = &self.step.expect.events else {
            if !wanted.is_anything() {
                return Ok(Vec::new());
            }
            let body = body(&wanted, self.lookup, self.fresh)?;
            return Ok(vec![StreamEvent { name: None, data: one_line(body) }]);
        };
        let names = self.names(events)?;
        let mut rich = None;
        let mut first_fault = None;
        for (at, name) in names.iter().enumerate().rev().filter(|_| wanted.is_anything()) {
            match self.message(events, Some(name), &wanted) {
                Ok(message) => {
                    rich = Some((at, message));
                    break;
                }
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
        if let (None, Some(fault)) = (&rich, first_fault) {
            return Err(fault);
        }
        let mut messages = Vec::new();
        for (at, name) in names.iter().enumerate() {
            messages.push(match &rich {
                Some((rich_at, message)) if *rich_at == at => message.clone(),
                Some(_) | None => self.message(events, Some(name), &Wanted::default())?,
            });
        }
        if names.is_empty() && wanted.is_anything() {
            messages.push(self.message(events, None, &wanted)?);
        }
        Ok(messages)
    }

    fn names(&self, events: &EventsExpect) -> Result<Vec<String>, NoExample> {
        let fault = |fault: crate::domain::template::UnknownName| NoExample::Unmet {
            subject: "events".to_owned(),
            fault: fault.to_string(),
        };
        events.all.iter().map(|name| name.render(self.lookup).map_err(fault)).collect()
    }

    fn message(
        &mut self,
        events: &EventsExpect,
        name: Option<&str>,
        wanted: &Wanted<'_>,
    ) -> Result<StreamEvent, NoExample> {
        let mut wanted = wanted.clone();
        let by: Cow<'_, str> = match &events.by {
            EventName::SseEvent => Cow::Borrowed(""),
            EventName::Json(path) => Cow::Borrowed(path.source()),
        };
        if let (EventName::Json(path), Some(name)) = (&events.by, name) {
            wanted.values.push((path, equal_to(name)));
        }
        wanted.values.extend(
            events.filter.iter().map(|(path, matcher): &(JsonPath, _)| (path, matcher.clone())),
        );
        let body = body(&wanted, self.lookup, self.fresh)?;
        let name = name.filter(|_| by.is_empty()).map(str::to_owned);
        Ok(StreamEvent { name, data: one_line(body) })
    }
}

/// Server-sent events end at the end of a line.
fn one_line(body: Body) -> String {
    body.text.replace(['\r', '\n'], " ")
}

fn equal_to(text: &str) -> Matcher {
    let text = JsonTemplate::Text(Template::literal(text));
    Matcher { conditions: vec![Condition::Equals(text)] }
}

/// Whether a step waits for a message, of whatever kind.
pub(super) fn awaits_messages(step: &Step) -> bool {
    let expect = &step.expect;
    let wants_values = !expect.json.is_empty() || expect.body.is_some() || !step.capture.is_empty();
    match &step.action {
        Action::Http(_) => false,
        Action::Ws(_) | Action::Sse(_) => awaits_events(expect) || wants_values,
    }
}

/// Whether events must come.
pub(super) fn awaits_events(expect: &Expect) -> bool {
    expect.events.as_ref().is_some_and(|events| !events.all.is_empty())
}
