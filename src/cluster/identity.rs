//! What a failure *is*, as a list of parts, and the fingerprint made of them.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::normalise::{MAX_BYTES, normalise, normalise_as};
use super::route::FILE_PATH;
use super::scene::{Place, Scene};
use super::writer::Style;
use crate::domain::attempt::Attempt;
use crate::domain::evidence::Evidence;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::names::Fingerprint;

/// The version of the algorithm. It stands in every fingerprint, so that one of an older version is
/// never taken for a new one. A new version comes beside the old one, not in its place: a failure is
/// then looked up under both, and keeps the identity under which it is known.
pub const FINGERPRINT_VERSION: u16 = 1;

/// So many bytes of the digest stand in a fingerprint: twelve hex digits.
const DIGEST_BYTES: usize = 6;

/// The fingerprint of a failure that left this evidence.
pub fn fingerprint(failure: &Failure, evidence: &Evidence) -> Fingerprint {
    let scene = Scene::of(failure, evidence);
    let mut hasher = Sha256::new();
    for (label, text) in parts_of(failure, &scene) {
        // With its length before it, no part can pass for two.
        hasher.update(label);
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    Fingerprint::new(FINGERPRINT_VERSION, &hex::encode(&hasher.finalize()[..DIGEST_BYTES]))
}

/// The fingerprint of an attempt's failure; `None` for one that passed.
pub fn fingerprint_of(attempt: &Attempt) -> Option<Fingerprint> {
    attempt.failure.as_ref().map(|failure| fingerprint(failure, &attempt.evidence))
}

/// A message of which less is left without what varies is told by more of it.
const LEAST_LETTERS: usize = 4;

/// Whether a message is nothing but a place, a value or an object: without what varies, messages of many
/// causes would be one.
fn says_little(message: &str, normal: &str) -> bool {
    let is_place_of_a_panic = message.starts_with("thread '") && message.contains(" panicked at ");
    let words = normal.replace(FILE_PATH, "");
    is_place_of_a_panic || words.chars().filter(|c| c.is_alphabetic()).count() < LEAST_LETTERS
}

/// A text in lower case without its numbers alone.
fn unnumbered(text: &str) -> Cow<'_, str> {
    let text = &text[..text.floor_char_boundary(MAX_BYTES)];
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if kept.ends_with('#') => {}
            '0'..='9' => kept.push('#'),
            c => kept.extend(c.to_lowercase()),
        }
    }
    Cow::Owned(kept)
}

/// One part: a label, and a text in which nothing varies.
type Part<'a> = (&'static str, Cow<'a, str>);

/// The parts of a failure. Which ones count depends on its class: the documentation of `cluster`
/// says why.
fn parts_of<'a>(failure: &'a Failure, scene: &'a Scene) -> Vec<Part<'a>> {
    let facts = Facts { failure, scene };
    let class = ("class", Cow::Borrowed(failure.class.as_str()));
    match failure.class {
        FailureClass::HttpStatus => vec![class, facts.place(), facts.expected(), facts.status()],
        FailureClass::Auth if facts.is_about_the_identity() => vec![class, facts.status()],
        FailureClass::Auth => vec![class, facts.place(), facts.status()],
        FailureClass::WsRefused => vec![class, facts.place(), facts.subject(), facts.status()],
        FailureClass::WsClose => vec![class, facts.place(), facts.subject(), facts.close()],
        FailureClass::Assertion | FailureClass::Schema => {
            vec![class, facts.place(), facts.subject(), facts.expected(), facts.kind_of_actual()]
        }
        FailureClass::Latency => vec![class, facts.place(), facts.subject()],
        FailureClass::MissingEvent => vec![class, facts.place(), facts.missing()],
        FailureClass::UnexpectedEvent => vec![class, facts.place(), facts.actual()],
        FailureClass::EventOrder => vec![class, facts.place(), facts.expected()],
        FailureClass::Connection | FailureClass::Dns => vec![class, facts.place(), facts.actual()],
        FailureClass::Tls | FailureClass::Timeout => {
            vec![class, facts.place(), facts.subject(), facts.actual()]
        }
        FailureClass::Command
        | FailureClass::Reported
        | FailureClass::Setup
        | FailureClass::Blocked => {
            let (subject, expected) = (facts.subject(), facts.expected());
            vec![class, facts.step(), subject, expected, facts.actual(), facts.message()]
        }
    }
}

/// Every part that a failure can have.
struct Facts<'a> {
    failure: &'a Failure,
    scene: &'a Scene,
}

impl<'a> Facts<'a> {
    /// What the step talked to; where the evidence does not tell, the step's name.
    fn place(&self) -> Part<'a> {
        match &self.scene.place {
            Some(place @ Place::Route { .. }) => ("route", place.to_string().into()),
            Some(Place::Host(host)) => {
                // Not `normalise`: here it matters which host it is. Only its numbers vary.
                let host = host.as_deref().unwrap_or("");
                ("host", host.replace(|c: char| c.is_ascii_digit(), "").into())
            }
            None => self.step(),
        }
    }

    fn step(&self) -> Part<'a> {
        ("step", normalise(self.failure.step.as_deref().unwrap_or("")))
    }

    /// The part that was compared, as the suite's author wrote it.
    fn subject(&self) -> Part<'a> {
        ("subject", self.failure.subject.as_deref().unwrap_or("").into())
    }

    /// What the suite's author asked for.
    fn expected(&self) -> Part<'a> {
        let expected = self.failure.expected.as_deref().unwrap_or("");
        match self.failure.class {
            FailureClass::HttpStatus => ("expected", expected.into()),
            _ => ("expected", normalise_as(expected, Style::WANTED)),
        }
    }

    /// What came instead, or else the whole sentence.
    fn actual_text(&self) -> &'a str {
        actual_text(self.failure)
    }

    fn actual(&self) -> Part<'a> {
        ("actual", normalise(self.actual_text()))
    }

    fn message(&self) -> Part<'a> {
        let message = self.failure.message.as_str();
        let normal = normalise(message);
        if says_little(message, &normal) {
            ("message", unnumbered(message))
        } else {
            ("message", normal)
        }
    }

    /// The status that came.
    fn status(&self) -> Part<'a> {
        match status_in(self.failure) {
            Some(status) => ("status", status.to_string().into()),
            None => self.actual(),
        }
    }

    /// The close code and its reason, but not how far things had got.
    fn close(&self) -> Part<'a> {
        match Close::of(self.actual_text()) {
            Some(Close { code, reason }) => {
                ("close", format!("{code} {}", normalise(reason)).into())
            }
            None => self.actual(),
        }
    }

    /// Which of the expected events never came.
    fn missing(&self) -> Part<'a> {
        if self.scene.missing.is_empty() {
            return self.expected();
        }
        let names: Vec<Cow<'_, str>> = self.scene.missing.iter().map(|n| normalise(n)).collect();
        ("missing", names.join("\n").into())
    }

    /// What kind of value came instead: the value itself varies.
    fn kind_of_actual(&self) -> Part<'a> {
        let actual = self.actual_text();
        let kind = match actual.bytes().next() {
            Some(b'"') => "a string".into(),
            Some(b'{') => "an object".into(),
            Some(b'[') => "an array".into(),
            Some(b'-' | b'0'..=b'9') => "a number".into(),
            Some(_) | None => normalise(actual),
        };
        ("actual", kind)
    }

    /// 401 says that the identity as such is not accepted (RFC 9110, 15.5.2): one cause, whichever
    /// route says so. 403 is about the route.
    fn is_about_the_identity(&self) -> bool {
        status_in(self.failure) == Some(401)
    }
}

fn actual_text(failure: &Failure) -> &str {
    failure.actual.as_deref().unwrap_or(&failure.message)
}

/// The HTTP status that came. A sentence says first what was expected, so its last number counts.
pub(super) fn status_in(failure: &Failure) -> Option<u16> {
    let numbers = numbers_in(actual_text(failure));
    numbers.filter(|number| (100..600).contains(number)).last()
}

/// How a socket was closed, read from the words of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Close<'a> {
    /// The close code.
    pub(super) code: u16,
    /// The reason that came with it.
    pub(super) reason: &'a str,
}

impl<'a> Close<'a> {
    /// Reads `close 1008 (policy) after 1 of 2`, `closed with 1011`.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let code = numbers_in(text).find(|number| (1000..5000).contains(number))?;
        let (_, behind) = text.split_once(&code.to_string())?;
        let reason = behind.trim_start().strip_prefix('(').unwrap_or("");
        let reason = reason.rsplit_once(')').map_or("", |(reason, _)| reason);
        Some(Self { code, reason })
    }
}

/// The numbers in a text that fit, in order.
fn numbers_in(text: &str) -> impl Iterator<Item = u16> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}

#[cfg(test)]
mod tests;
