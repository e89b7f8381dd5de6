//! The questions, by what failed and by why it changed, and the empty forms for the answers.
//!
//! A question never contains an answer: it names what was seen and where to look.

use super::document::Slot;
use crate::domain::failure::FailureClass;
use crate::domain::findings::Cluster;
use crate::domain::outcome::Cause;

/// The form under each question.
const ANSWER: [&str; 4] = [
    "- Claim:",
    "  - Evidence:",
    "  - Confidence (seen, likely, guess):",
    "  - Would be false if:",
];

/// The form of the countermeasures.
const ACTIONS: [&str; 3] = [
    "| What | Kind | Owner | Due | Priority | Commit | Proved by |",
    "|---|---|---|---|---|---|---|",
    "| | | | | | | |",
];

/// The empty form of a slot.
pub fn skeleton(slot: Slot) -> &'static [&'static str] {
    match slot {
        Slot::Why(1) => &[],
        Slot::Why(_) => &ANSWER,
        Slot::Actions => &ACTIONS,
        Slot::Top
        | Slot::Head
        | Slot::Status
        | Slot::Seen
        | Slot::Commits
        | Slot::Occurrences
        | Slot::Fixes
        | Slot::Notes
        | Slot::Kept => &[],
    }
}

/// Whether a line is one of an empty form, so that no person wrote it.
pub fn is_skeleton(line: &str) -> bool {
    let line = line.trim_end();
    ANSWER.contains(&line) || ACTIONS.contains(&line)
}

/// A question, and where evidence for an answer may be found.
pub struct Question {
    /// The question.
    pub text: String,
    /// What to look at.
    pub look_at: &'static str,
}

fn ask(text: &str, look_at: &'static str) -> Question {
    Question { text: text.to_owned(), look_at }
}

/// The question of a why from 2 on.
pub fn question(number: u8, cluster: &Cluster) -> Question {
    match number {
        2 => by_class(cluster.class),
        3 if cluster.culprit.is_some() => ask(
            "What in the commit that a search found leads to that?",
            "the culprit above, and its files",
        ),
        3 if cluster.cause == Cause::Code && cluster.failure_changed.is_some() => ask(
            "What in the commits since the failure was another one leads to that?",
            "the commits and files above",
        ),
        // That it never worked is no question where the records say that it did.
        3 if cluster.cause == Cause::Unknown && cluster.last_good.is_some() => ask(
            "It was good before: what has changed since?",
            "the last good cycle above; earlier revisions; the history of the case",
        ),
        3 => by_cause(cluster.cause),
        4 => ask(
            "Why was that possible: which assumption, contract or guard did not hold?",
            "the interface between the parts that disagree",
        ),
        // What nobody of ours changed no check of a change could see.
        5 if cluster.cause == Cause::Environment => ask(
            "Why did nothing that watches the environment see it?",
            "its alarms and checks, and those of what it depends on",
        ),
        6 if cluster.cause == Cause::Environment => ask(
            "Why did it last until this cycle without anybody knowing?",
            "who is told of changes to the environment, and how",
        ),
        5 => ask(
            "Why did no check before the merge see it?",
            "the tests of the parts concerned; what they replace by stand-ins",
        ),
        6 => ask(
            "Why did it get to staging without anybody knowing?",
            "reviews, gates and alarms between the commit and this cycle",
        ),
        _ => ask(
            "Why did what was done the last time not prevent it?",
            "the countermeasures below, and which of them are in the tested revision",
        ),
    }
}

fn by_class(class: FailureClass) -> Question {
    match class {
        FailureClass::HttpStatus => ask(
            "Why does the endpoint answer with this status?",
            "the server's log for this request; the route's registration; what it depends on",
        ),
        FailureClass::Assertion => ask(
            "Why is the answer's content another than expected?",
            "the body above; where that value is made",
        ),
        FailureClass::Schema => ask(
            "Why does the answer have another shape than agreed?",
            "the schema, the serialiser, and who else reads this answer",
        ),
        FailureClass::Latency => ask(
            "Where does the time go?",
            "the phases of the exchange above (resolve, connect, TLS, first byte); the server's own timing",
        ),
        FailureClass::Timeout => ask(
            "What is the service waiting for when it does not answer?",
            "the server's log and its dependencies at that time; whether bytes came at all",
        ),
        FailureClass::Connection => ask(
            "Why can no connection be made, or why is it cut?",
            "whether the process runs and listens; proxies and limits on the way; the controls above",
        ),
        FailureClass::Dns => ask(
            "Why does the name not resolve?",
            "the zone and its last change; the resolver from which the suite runs",
        ),
        FailureClass::Tls => ask(
            "Why can no trusted connection be made?",
            "the certificate, its names and its end; who renews it",
        ),
        FailureClass::WsRefused => ask(
            "Why is the socket refused at the handshake?",
            "the status and body of the refusal; the rules of the proxy and of the server for upgrades",
        ),
        FailureClass::WsClose => ask(
            "Why does the server close a socket that it accepted?",
            "the close code and reason above; the server's log at that moment",
        ),
        FailureClass::MissingEvent => ask(
            "Where does the expected event get lost: is it not made, not sent, or not delivered?",
            "the last event that did come; the sender's log; what was sent to others",
        ),
        FailureClass::UnexpectedEvent => ask(
            "What makes the service send an event that it must not?",
            "the payload of that event; the frames before it",
        ),
        FailureClass::EventOrder => ask(
            "Why do the events come in another order?",
            "which parts send them, and what orders those parts",
        ),
        FailureClass::Auth => ask(
            "Why is an identity refused that should do?",
            "the token's claims and times; the keys on both sides; the server's reason in its log",
        ),
        FailureClass::Command => ask(
            "Why does the suite's command fail?",
            "the end of its output; its exit status; what it needs from its environment",
        ),
        FailureClass::Reported => ask(
            "What does the test say that went wrong, and is it the service or the test?",
            "the message and output in the result file",
        ),
        FailureClass::Setup => ask(
            "Why could the case not be measured: is the fixture wrong, or the service that it uses?",
            "the setup step and what it got",
        ),
        FailureClass::Blocked => {
            ask("Why does the case that this one needs not pass?", "the failure of that case")
        }
    }
}

fn by_cause(cause: Cause) -> Question {
    match cause {
        Cause::Code => ask(
            "What in the commits since the last good revision leads to that?",
            "the commits and files above",
        ),
        Cause::Suite => ask(
            "The case's own definition changed: is the new expectation right, and did the service ever meet it?",
            "the change of the suite file",
        ),
        Cause::Config => ask(
            "What in the changed pipeline, variables or deploy steps leads to that?",
            "the change of the pipeline file",
        ),
        Cause::Environment => ask(
            "Nothing of ours changed: what did, in the environment or in what it depends on?",
            "the controls and surfaces above; changes by others; data and quotas",
        ),
        Cause::Flake => ask(
            "What differs between the runs that pass and those that fail on the same revision?",
            "order, timing, data and load of both runs",
        ),
        Cause::Unknown => ask(
            "Has this ever worked, and if so, what has changed since?",
            "earlier revisions; the history of the case",
        ),
    }
}
