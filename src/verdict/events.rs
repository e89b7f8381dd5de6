//! Expected and forbidden events, judged message by message, so that whoever reads a socket can
//! stop as soon as the answer is certain.

use std::time::Duration;

use serde_json::Value;

use super::describe::describe_duration;
use super::finding::Finding;
use super::http::{judge_path, unjudgeable};
use super::matcher::JudgeError;
use super::message::Message;
use super::vacuous::refuse_empty_event;
use crate::domain::evidence::{EventsSeen, MAX_FRAMES};
use crate::domain::failure::{Blame, FailureClass};
use crate::domain::spec::{EventName, EventsExpect, JsonPath, Matcher};
use crate::domain::template::{Lookup, Template, text_of};

/// Whether more messages can change the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything expected has come.
    Done,
    /// It is open yet.
    NeedMore,
    /// What came cannot be made good.
    Failed,
}

/// Why no further message will come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsEnd {
    /// Nothing more was wanted.
    Satisfied,
    /// The deadline.
    Deadline {
        /// The time-out as it was configured.
        limit: Duration,
        /// How long after the step's start it passed: less than the time-out, where that had been
        /// running before.
        waited: Duration,
    },
    /// The server closed the socket.
    Closed {
        /// The close code.
        code: u16,
        /// The reason, empty where none was given.
        reason: String,
    },
    /// The stream came to its end.
    StreamEnded,
    /// The connection was cut.
    Cut(String),
}

/// The running judgement of one step's events.
#[derive(Debug)]
pub struct EventsFold {
    by: EventName,
    filter: Vec<(JsonPath, Matcher)>,
    ordered: bool,
    expected: Vec<String>,
    came: Vec<bool>,
    /// How many of the expected came in their order.
    in_order: usize,
    forbidden: Vec<String>,
    seen: Vec<(String, u64)>,
    seen_total: usize,
    /// How many messages had no name.
    unnamed: usize,
    bad: Option<(String, u64)>,
    broken: Option<Finding>,
}

impl EventsFold {
    /// Begins to judge.
    ///
    /// # Errors
    /// When the name of an event refers to something without a value, or to an empty one.
    pub fn new(expect: &EventsExpect, lookup: &dyn Lookup) -> Result<Self, JudgeError> {
        let names = |templates: &[Template]| -> Result<Vec<String>, JudgeError> {
            let name = |template: &Template| {
                let name = template.render(lookup)?;
                refuse_empty_event(template, &name, lookup).map(|()| name)
            };
            templates.iter().map(name).collect()
        };
        let expected = names(&expect.all)?;
        Ok(Self {
            by: expect.by.clone(),
            filter: expect.filter.clone(),
            ordered: expect.ordered,
            came: vec![false; expected.len()],
            expected,
            in_order: 0,
            forbidden: names(&expect.none)?,
            seen: Vec::new(),
            seen_total: 0,
            unnamed: 0,
            bad: None,
            broken: None,
        })
    }

    /// The name of the event that a message is.
    pub fn name_of(&self, message: &Message<'_>) -> Option<String> {
        name_of(&self.by, message)
    }

    /// Whether a message fits the filter.
    ///
    /// # Errors
    /// When the filter cannot be judged.
    pub(super) fn counts(
        &self,
        message: &Message<'_>,
        lookup: &dyn Lookup,
    ) -> Result<bool, Finding> {
        if self.filter.is_empty() {
            return Ok(true);
        }
        let Some(json) = message.json() else { return Ok(false) };
        for (path, matcher) in &self.filter {
            match judge_path(json, path, matcher, lookup) {
                Ok(()) => {}
                Err(finding) if finding.blame == Blame::Service => return Ok(false),
                Err(finding) => return Err(finding),
            }
        }
        Ok(true)
    }

    /// Takes the next message.
    pub fn push(&mut self, message: &Message<'_>, lookup: &dyn Lookup) -> Progress {
        match self.counts(message, lookup) {
            Ok(true) => {}
            Ok(false) => return self.progress(),
            Err(finding) => {
                self.broken.get_or_insert(finding);
                return Progress::Failed;
            }
        }
        let Some(name) = self.name_of(message) else {
            self.unnamed += 1;
            return self.progress();
        };
        self.count(&name);
        if self.bad.is_none() && self.forbidden.contains(&name) {
            self.bad = Some((name.clone(), message.at_ms));
        }
        self.seen_total += 1;
        if self.seen.len() < MAX_FRAMES {
            self.seen.push((name, message.at_ms));
        }
        self.progress()
    }

    fn count(&mut self, name: &str) {
        if self.expected.get(self.in_order).is_some_and(|next| next == name) {
            self.in_order += 1;
        }
        let open = self.expected.iter().zip(&mut self.came).find(|(e, came)| *e == name && !**came);
        if let Some((_, came)) = open {
            *came = true;
        }
    }

    fn complete(&self) -> bool {
        match self.ordered {
            true => self.in_order == self.expected.len(),
            false => self.came.iter().all(|came| *came),
        }
    }

    /// Whether more messages can change the answer. Where only forbidden events are named, the
    /// answer is open until the deadline.
    pub fn progress(&self) -> Progress {
        if self.bad.is_some() || self.broken.is_some() {
            Progress::Failed
        } else if !self.expected.is_empty() && self.complete() {
            Progress::Done
        } else {
            Progress::NeedMore
        }
    }

    /// What came, as evidence, and the judgement.
    pub fn finish(self, step: &str, end: &EventsEnd) -> (EventsSeen, Result<(), Finding>) {
        let missing = self.missing();
        let out_of_order = missing.is_empty() && !self.complete();
        let judgement = self.judge(&missing, out_of_order, end);
        let seen = EventsSeen {
            step: step.to_owned(),
            expected: self.expected,
            ordered: self.ordered,
            seen: self.seen,
            missing,
            forbidden: self.bad.into_iter().map(|(name, _)| name).collect(),
            out_of_order,
        };
        (seen, judgement)
    }

    fn missing(&self) -> Vec<String> {
        let pairs = self.expected.iter().zip(&self.came);
        pairs.filter(|(_, came)| !**came).map(|(name, _)| name.clone()).collect()
    }

    fn judge(
        &self,
        missing: &[String],
        out_of_order: bool,
        end: &EventsEnd,
    ) -> Result<(), Finding> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        if let Some((name, at_ms)) = &self.bad {
            return Err(self.unexpected(name, *at_ms));
        }
        if !self.expected.is_empty() && self.complete() {
            return Ok(());
        }
        match end {
            EventsEnd::Closed { code, reason } if *code != 1000 => {
                Err(self.closed(*code, reason, missing))
            }
            EventsEnd::Cut(fault) => Err(self.cut(fault, missing)),
            _ if self.expected.is_empty() && self.unnamed > 0 && self.seen_total == 0 => {
                Err(self.nameless())
            }
            _ if self.expected.is_empty() => Ok(()),
            _ if out_of_order => Err(self.disordered()),
            end => Err(self.incomplete(missing, end)),
        }
    }

    /// Messages came, and which events they are cannot be told: nothing shows that none was forbidden.
    fn nameless(&self) -> Finding {
        let by = match &self.by {
            EventName::SseEvent => "their event",
            EventName::Json(path) => path.source(),
        };
        let wanted = format!("no event {}", self.forbidden.join(", "));
        let actual = format!("{} messages, none with a name at {by}", self.unnamed);
        let message = format!(
            "expected {wanted}; {actual}, so that it cannot be told whether a forbidden one was among them"
        );
        Finding::measurement(FailureClass::Setup, "events", wanted, actual).saying(message)
    }

    fn unexpected(&self, name: &str, at_ms: u64) -> Finding {
        let until = match self.expected.last() {
            Some(last) => format!("no event {name} before {last}"),
            None => format!("no event {name}"),
        };
        let actual = format!("{name} after {at_ms} ms");
        Finding::service(FailureClass::UnexpectedEvent, "events", until, actual)
    }

    fn disordered(&self) -> Finding {
        let wanted = format!("in order {}", self.expected.join(", "));
        Finding::service(FailureClass::EventOrder, "events", wanted, self.came_words())
    }

    fn incomplete(&self, missing: &[String], end: &EventsEnd) -> Finding {
        let wanted = self.expected.join(", ");
        let actual = format!("{} of {}", self.expected.len() - missing.len(), self.expected.len());
        let until = match end {
            EventsEnd::Deadline { limit, waited } => within(*limit, *waited),
            EventsEnd::Closed { code, .. } => format!("before the socket was closed with {code}"),
            EventsEnd::StreamEnded => "before the stream ended".to_owned(),
            EventsEnd::Satisfied | EventsEnd::Cut(_) => "in time".to_owned(),
        };
        let message = format!(
            "expected events {wanted}, got {actual} {until}: {} missing; {}",
            missing.join(", "),
            self.came_words(),
        );
        let actual = format!("{actual}; {}", self.came_words());
        Finding::service(FailureClass::MissingEvent, "events", wanted, actual).saying(message)
    }

    fn closed(&self, code: u16, reason: &str, missing: &[String]) -> Finding {
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let came = self.expected.len() - missing.len();
        let wanted = match self.expected.is_empty() {
            true => "an open socket".to_owned(),
            false => format!("events {}", self.expected.join(", ")),
        };
        let actual = format!("close {code}{reason} after {came} of {}", self.expected.len());
        let message = format!("expected {wanted}, got {actual}");
        Finding::service(FailureClass::WsClose, "close code", wanted, actual).saying(message)
    }

    fn cut(&self, fault: &str, missing: &[String]) -> Finding {
        let came = self.expected.len() - missing.len();
        let wanted = format!("events {}", self.expected.join(", "));
        let actual = format!("{fault} after {came} of {}", self.expected.len());
        let message = format!("expected {wanted}, got {actual}");
        Finding::service(FailureClass::Connection, "connection", wanted, actual).saying(message)
    }

    fn came_words(&self) -> String {
        let names: Vec<&str> = self.seen.iter().take(12).map(|(name, _)| name.as_str()).collect();
        match self.seen_total - names.len() {
            _ if names.is_empty() => "no event came".to_owned(),
            0 => format!("came: {}", names.join(", ")),
            more => format!("came: {} and {more} more", names.join(", ")),
        }
    }
}

/// A time-out in words; where steps before took a good part of it, with what was left.
fn within(limit: Duration, waited: Duration) -> String {
    let words = format!("within {}", describe_duration(limit));
    match waited.as_millis() {
        millis if millis * 10 >= limit.as_millis() * 9 => words,
        0 => format!("{words}, of which nothing was left"),
        _ => format!("{words}, of which {} were left", describe_duration(waited)),
    }
}

/// The name of the event that a message is, by a rule.
pub(super) fn name_of(by: &EventName, message: &Message<'_>) -> Option<String> {
    match by {
        EventName::SseEvent => Some(message.event.unwrap_or("message").to_owned()),
        EventName::Json(path) => match path.first(message.json()?)? {
            Value::Null => None,
            value => Some(text_of(value)),
        },
    }
}

/// Events that cannot be looked for, as a finding about a step's events.
pub(super) fn no_events(error: &JudgeError) -> Finding {
    unjudgeable("events", error)
}

#[cfg(test)]
mod tests;
