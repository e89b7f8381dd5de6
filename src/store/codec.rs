//! Events as text, and back, for good: a kind and a version name the shape of the payload.
//!
//! A shape that changes incompatibly gets a new version, and the old one an arm that lifts its
//! payloads; `tests/data/events-v1.jsonl` holds one event of every shape there ever was.

use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};

use crate::domain::event::{EVENT_VERSION, Event, PlannedCase};

/// An event as a row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its kind.
    pub kind: String,
    /// The version of its shape.
    pub version: u16,
    /// Its fields as JSON.
    pub payload: String,
}

/// Writes an event down.
///
/// # Errors
/// When a field has no JSON form.
pub fn encode(event: &Event) -> Result<StoredEvent, serde_json::Error> {
    let payload = match event {
        Event::Queued(fields) => to_json(fields),
        Event::PhaseStarted(fields) => to_json(fields),
        Event::RevisionResolved(fields) => to_json(fields),
        Event::StepStarted(fields) => to_json(fields),
        Event::StepEnded(fields) => to_json(fields),
        Event::SurfacesRead(fields) => to_json(fields),
        Event::ControlsRead(fields) => to_json(fields),
        Event::SuitePlanned(fields) => to_json(fields),
        Event::CommandStarted(fields) => to_json(fields),
        Event::CasesPlanned(fields) => to_json(fields),
        Event::CommandEnded(fields) => to_json(fields),
        Event::AttemptFinished(fields) => to_json(fields),
        Event::SuiteEnded(fields) => to_json(fields),
        Event::PhaseEnded(fields) => to_json(fields),
        Event::Analysed(fields) => to_json(fields),
        Event::RollbackPlanned(fields) => to_json(fields),
        Event::ReportWritten(fields) => to_json(fields),
        Event::Held(fields) => to_json(fields),
        Event::Resumed(fields) => to_json(fields),
        Event::CancelRequested(fields) => to_json(fields),
        Event::Finished(fields) => to_json(fields),
    }?;
    Ok(StoredEvent { kind: event.kind().to_owned(), version: EVENT_VERSION, payload })
}

/// Reads an event of any version that was ever written.
///
/// # Errors
/// One phrase that says why it cannot be read: an unknown kind or version, or broken fields.
pub fn decode(kind: &str, version: u16, payload: &str) -> Result<Event, String> {
    match version {
        1 => decode_v1(kind, payload),
        _ => Err(format!("this version of Andon reads versions up to {EVENT_VERSION}")),
    }
}

/// Reads a case of a plan of any version, of a text that begins with it and goes on.
///
/// # Errors
/// One phrase that says why it cannot be read.
pub fn decode_planned_case(version: u16, text: &str) -> Result<PlannedCase, String> {
    if version != 1 {
        return Err(format!("this version of Andon reads versions up to {EVENT_VERSION}"));
    }
    let mut text = serde_json::Deserializer::from_str(text);
    PlannedCase::deserialize(&mut text).map_err(|error| error.to_string())
}

fn decode_v1(kind: &str, payload: &str) -> Result<Event, String> {
    match kind {
        "queued" => from_json(payload).map(Event::Queued),
        "phase_started" => from_json(payload).map(Event::PhaseStarted),
        "revision_resolved" => from_json(payload).map(Event::RevisionResolved),
        "step_started" => from_json(payload).map(Event::StepStarted),
        "step_ended" => from_json(payload).map(Event::StepEnded),
        "surfaces_read" => from_json(payload).map(Event::SurfacesRead),
        "controls_read" => from_json(payload).map(Event::ControlsRead),
        "suite_planned" => from_json(payload).map(Event::SuitePlanned),
        "command_started" => from_json(payload).map(Event::CommandStarted),
        "cases_planned" => from_json(payload).map(Event::CasesPlanned),
        "command_ended" => from_json(payload).map(Event::CommandEnded),
        "attempt_finished" => from_json(payload).map(Event::AttemptFinished),
        "suite_ended" => from_json(payload).map(Event::SuiteEnded),
        "phase_ended" => from_json(payload).map(Event::PhaseEnded),
        "analysed" => from_json(payload).map(Event::Analysed),
        "rollback_planned" => from_json(payload).map(Event::RollbackPlanned),
        "report_written" => from_json(payload).map(Event::ReportWritten),
        "held" => from_json(payload).map(Event::Held),
        "resumed" => from_json(payload).map(Event::Resumed),
        "cancel_requested" => from_json(payload).map(Event::CancelRequested),
        "finished" => from_json(payload).map(Event::Finished),
        _ => Err("this version of Andon knows no such kind".to_owned()),
    }
}

fn to_json<T: Serialize>(fields: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(fields)
}

fn from_json<T: DeserializeOwned>(payload: &str) -> Result<T, String> {
    serde_json::from_str(payload).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Events as they lie in databases out there. Lines are added, never edited.
    const SAMPLES: &str = include_str!("../../tests/data/events-v1.jsonl");

    /// The place of a kind in the list of kinds. A new kind breaks the build here; it needs a
    /// sample and a place of its own.
    fn place(event: &Event) -> usize {
        match event {
            Event::Queued(_) => 0,
            Event::PhaseStarted(_) => 1,
            Event::RevisionResolved(_) => 2,
            Event::StepStarted(_) => 3,
            Event::StepEnded(_) => 4,
            Event::SurfacesRead(_) => 5,
            Event::ControlsRead(_) => 6,
            Event::SuitePlanned(_) => 7,
            Event::AttemptFinished(_) => 8,
            Event::SuiteEnded(_) => 9,
            Event::PhaseEnded(_) => 10,
            Event::Analysed(_) => 11,
            Event::ReportWritten(_) => 12,
            Event::Held(_) => 13,
            Event::Resumed(_) => 14,
            Event::CancelRequested(_) => 15,
            Event::Finished(_) => 16,
            Event::RollbackPlanned(_) => 17,
            Event::CommandStarted(_) => 18,
            Event::CasesPlanned(_) => 19,
            Event::CommandEnded(_) => 20,
        }
    }

    const KINDS: usize = 21;

    struct Sample {
        kind: String,
        version: u16,
        payload: Value,
    }

    fn samples() -> Vec<Sample> {
        let line = |line: &str| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            Sample {
                kind: value["kind"].as_str().unwrap().to_owned(),
                version: u16::try_from(value["version"].as_u64().unwrap()).unwrap(),
                payload: value["payload"].take(),
            }
        };
        SAMPLES.lines().map(line).collect()
    }

    /// Whether everything in `part` also stands in `whole`, which may say more.
    fn is_kept(part: &Value, whole: &Value) -> bool {
        match (part, whole) {
            (Value::Object(part), Value::Object(whole)) => part.iter().all(|(key, value)| {
                value.is_null() || whole.get(key).is_some_and(|other| is_kept(value, other))
            }),
            (Value::Array(part), Value::Array(whole)) => {
                part.len() == whole.len() && part.iter().zip(whole).all(|(a, b)| is_kept(a, b))
            }
            (part, whole) => part == whole,
        }
    }

    #[test]
    fn events_that_were_ever_stored_are_read_without_loss() {
        let mut places = BTreeSet::new();
        for Sample { kind, version, payload } in samples() {
            let event = decode(&kind, version, &payload.to_string())
                .unwrap_or_else(|why| panic!("{kind} of version {version}: {why}"));
            assert_eq!(event.kind(), kind);
            places.insert(place(&event));
            let again: Value = serde_json::from_str(&encode(&event).unwrap().payload).unwrap();
            assert!(is_kept(&payload, &again), "{kind}: of {payload} only {again} is left");
        }
        assert_eq!(places.len(), KINDS, "some kind has no sample");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert_eq!(decode("held", 1, r#"{"reason":"x"}"#).unwrap().kind(), "held");
        for (kind, version, payload, why) in [
            ("held", 2, r#"{"reason":"x"}"#, "versions up to 1"),
            ("held", 0, r#"{"reason":"x"}"#, "versions up to 1"),
            ("teleported", 1, "{}", "no such kind"),
            ("held", 1, "{}", "missing field `reason`"),
            ("held", 1, "{", "EOF"),
            ("held", 1, "", "EOF"),
        ] {
            let error = decode(kind, version, payload).unwrap_err();
            assert!(error.contains(why), "{kind} {version} {payload}: {error}");
        }
    }
}
