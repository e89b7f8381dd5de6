//! One message of a socket or stream, and everything that a step wants of its messages together:
//! events, values within any one of them, captures.

use std::cell::OnceCell;

use serde_json::Value;

use super::describe::describe_matcher;
use super::events::{EventsEnd, EventsFold, Progress, no_events};
use super::extract::extract_from_message;
use super::finding::Finding;
use super::http::judge_path;
use crate::domain::evidence::EventsSeen;
use crate::domain::failure::{Blame, FailureClass};
use crate::domain::spec::{Capture, Expect};
use crate::domain::template::Lookup;

/// One message of a socket, or one server-sent event.
#[derive(Debug)]
pub struct Message<'a> {
    /// Milliseconds since the socket or stream opened.
    pub at_ms: u64,
    /// Its text; the `data` of a server-sent event.
    pub text: &'a str,
    /// The `event` of a server-sent event.
    pub event: Option<&'a str>,
    parsed: OnceCell<Option<Value>>,
}

impl<'a> Message<'a> {
    /// A message.
    pub fn new(at_ms: u64, text: &'a str, event: Option<&'a str>) -> Self {
        Self { at_ms, text, event, parsed: OnceCell::new() }
    }

    /// The text as JSON, if it is JSON.
    pub fn json(&self) -> Option<&Value> {
        self.parsed.get_or_init(|| serde_json::from_str(self.text).ok()).as_ref()
    }
}

/// Everything that a step wants of the messages it reads.
#[derive(Debug)]
pub struct MessageFold<'s> {
    events: Option<EventsFold>,
    expect: &'s Expect,
    captures: &'s [Capture],
    captured: Vec<Option<Value>>,
    /// The nearest miss of the values that some message must hold; `None` once one held them all.
    wanted: Option<Finding>,
    broken: Option<Finding>,
}

/// What became of a step's messages.
#[derive(Debug)]
pub struct Folded {
    /// What was expected of events and what came.
    pub events: Option<EventsSeen>,
    /// What was captured.
    pub captured: Vec<(String, Value)>,
    /// The judgement.
    pub judgement: Result<(), Finding>,
}

impl<'s> MessageFold<'s> {
    /// Begins to read for a step.
    ///
    /// # Errors
    /// When an expectation refers to something without a value.
    pub fn new(
        expect: &'s Expect,
        captures: &'s [Capture],
        lookup: &dyn Lookup,
    ) -> Result<Self, Finding> {
        let events = expect.events.as_ref().map(|events| EventsFold::new(events, lookup));
        let wants_values = !expect.json.is_empty() || expect.body.is_some();
        Ok(Self {
            events: events.transpose().map_err(|error| no_events(&error))?,
            expect,
            captures,
            captured: vec![None; captures.len()],
            wanted: wants_values.then(|| no_message(expect, lookup)),
            broken: None,
        })
    }

    /// Whether anything at all is wanted of messages.
    pub fn wants_messages(&self) -> bool {
        self.events.is_some() || self.wanted.is_some() || !self.captures.is_empty()
    }

    /// The name of the event that a message is, where the step says how events are named.
    pub fn name_of(&self, message: &Message<'_>) -> Option<String> {
        self.events.as_ref().and_then(|events| events.name_of(message))
    }

    /// Takes the next message.
    pub fn push(&mut self, message: &Message<'_>, lookup: &dyn Lookup) -> Progress {
        let counts = match self.events.as_ref().map(|events| events.counts(message, lookup)) {
            None | Some(Ok(true)) => true,
            Some(Ok(false)) => false,
            Some(Err(finding)) => {
                self.broken = Some(finding);
                return Progress::Failed;
            }
        };
        if counts {
            self.capture_from(message);
            self.judge_values(message, lookup);
        }
        if let Some(events) = &mut self.events
            && events.progress() == Progress::NeedMore
        {
            events.push(message, lookup);
        }
        self.progress()
    }

    fn capture_from(&mut self, message: &Message<'_>) {
        for (capture, slot) in self.captures.iter().zip(&mut self.captured) {
            if slot.is_none() {
                *slot = extract_from_message(message, &capture.from).ok();
            }
        }
    }

    fn judge_values(&mut self, message: &Message<'_>, lookup: &dyn Lookup) {
        if self.wanted.is_none() {
            return;
        }
        match self.judge_message(message, lookup) {
            Ok(()) => self.wanted = None,
            Err(finding) if finding.blame == Blame::Measurement => self.broken = Some(finding),
            Err(finding) => self.wanted = Some(finding),
        }
    }

    fn judge_message(&self, message: &Message<'_>, lookup: &dyn Lookup) -> Result<(), Finding> {
        if let Some(matcher) = &self.expect.body {
            let text = Value::from(message.text);
            super::http::check(Some(&text), matcher, "message", lookup)?;
        }
        let Some(json) = message.json() else {
            return match self.expect.json.first() {
                None => Ok(()),
                Some((path, matcher)) => {
                    let wanted = describe_matcher(matcher, lookup);
                    let actual = "a message that is not JSON";
                    Err(Finding::service(FailureClass::Assertion, path.source(), wanted, actual))
                }
            };
        };
        let mut values = self.expect.json.iter();
        values.try_for_each(|(path, matcher)| judge_path(json, path, matcher, lookup))
    }

    /// Whether more messages can change the answer.
    pub fn progress(&self) -> Progress {
        if self.broken.is_some() {
            return Progress::Failed;
        }
        let open = self.wanted.is_some() || self.captured.iter().any(Option::is_none);
        match self.events.as_ref().map(EventsFold::progress) {
            Some(Progress::Failed) => Progress::Failed,
            Some(Progress::NeedMore) => Progress::NeedMore,
            Some(Progress::Done) | None if open => Progress::NeedMore,
            Some(Progress::Done) | None => Progress::Done,
        }
    }

    /// What came, what was captured, and the judgement.
    pub fn finish(self, step: &str, end: &EventsEnd) -> Folded {
        let (events, events_judgement) = match self.events {
            None => (None, Ok(())),
            Some(events) => {
                let (seen, judgement) = events.finish(step, end);
                (Some(seen), judgement)
            }
        };
        let mut judgement = match self.broken {
            Some(broken) => Err(broken),
            None => events_judgement,
        };
        if let (Ok(()), Some(missing)) = (&judgement, self.wanted) {
            judgement = Err(missing);
        }
        let mut captured = Vec::new();
        for (capture, value) in self.captures.iter().zip(self.captured) {
            match value {
                Some(value) => captured.push((capture.name.clone(), value)),
                None if judgement.is_ok() => judgement = Err(not_captured(&capture.name)),
                None => {}
            }
        }
        Folded { events, captured, judgement }
    }
}

fn no_message(expect: &Expect, lookup: &dyn Lookup) -> Finding {
    let (subject, matcher) = match (expect.json.first(), &expect.body) {
        (Some((path, matcher)), _) => (path.source(), Some(matcher)),
        (None, body) => ("message", body.as_ref()),
    };
    let wanted = matcher.map(|m| describe_matcher(m, lookup)).unwrap_or_default();
    Finding::service(FailureClass::Assertion, subject, wanted, "no message")
}

fn not_captured(name: &str) -> Finding {
    let message = format!("expected a message to capture `{name}` from, but none had it");
    Finding::service(FailureClass::Assertion, format!("capture {name}"), "a value", "nothing")
        .saying(message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::{Condition, EventName, EventsExpect, Extract, JsonPath, Matcher};
    use crate::domain::template::{JsonTemplate, Template};
    use serde_json::json;
    use std::time::Duration;

    fn nothing(_: &str) -> Option<Value> {
        None
    }

    fn path(text: &str) -> JsonPath {
        JsonPath::parse(text).unwrap()
    }

    fn is(value: Value) -> Matcher {
        Matcher { conditions: vec![Condition::Equals(JsonTemplate::Plain(value))] }
    }

    fn run(expect: &Expect, captures: &[Capture], texts: &[&str]) -> (Progress, Folded) {
        let mut fold = MessageFold::new(expect, captures, &nothing).unwrap();
        for text in texts {
            fold.push(&Message::new(0, text, None), &nothing);
        }
        let end =
            EventsEnd::Deadline { limit: Duration::from_secs(1), waited: Duration::from_secs(1) };
        (fold.progress(), fold.finish("s", &end))
    }

    #[test]
    fn values_must_all_stand_in_one_message() {
        let expect = Expect {
            json: vec![(path("$.a"), is(json!(1))), (path("$.b"), is(json!(2)))],
            ..Expect::default()
        };
        let (progress, folded) = run(&expect, &[], &[r#"{"a": 1}"#, r#"{"b": 2}"#]);
        assert_eq!(progress, Progress::NeedMore);
        assert_eq!(folded.judgement.unwrap_err().subject, "$.a");
        let (progress, folded) = run(&expect, &[], &["no json", r#"{"a": 1, "b": 2}"#]);
        assert_eq!((progress, folded.judgement), (Progress::Done, Ok(())));
        let (_, folded) = run(&expect, &[], &[]);
        assert_eq!(folded.judgement.unwrap_err().actual, "no message");
    }

    #[test]
    fn the_first_message_that_counts_is_captured_from() {
        let expect = Expect {
            events: Some(EventsExpect {
                by: EventName::Json(path("$.type")),
                within: Duration::from_secs(1),
                ordered: false,
                all: vec![Template::literal("ack")],
                none: vec![],
                filter: vec![(path("$.ours"), is(json!(true)))],
            }),
            ..Expect::default()
        };
        let captures = [Capture { name: "run".to_owned(), from: Extract::Json(path("$.run")) }];
        let theirs = r#"{"type": "ack", "ours": false, "run": 1}"#;
        let (progress, folded) =
            run(&expect, &captures, &[theirs, r#"{"type": "ack", "ours": true, "run": 2}"#]);
        assert_eq!((progress, folded.judgement), (Progress::Done, Ok(())));
        assert_eq!(folded.captured, [("run".to_owned(), json!(2))]);
        let (progress, folded) = run(&expect, &captures, &[r#"{"type": "ack", "ours": true}"#]);
        assert_eq!(progress, Progress::NeedMore);
        assert_eq!(folded.judgement.unwrap_err().subject, "capture run");
    }

    #[test]
    fn a_step_may_want_nothing() {
        let expect = Expect::default();
        assert!(!MessageFold::new(&expect, &[], &nothing).unwrap().wants_messages());
    }
}
