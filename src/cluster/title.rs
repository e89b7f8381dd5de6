//! Titles for people: what happened in this cycle, in a few words, with its real values. What a failure
//! *is* does not rest on them: that is its fingerprint. Only the ids in a route are masked, since the
//! cases of one failure ask for different ones.

use super::identity::{Close, status_in};
use super::normalise::normalise_as;
use super::scene::{Place, Scene};
use super::writer::Style;
use crate::domain::evidence::Evidence;
use crate::domain::failure::{Failure, FailureClass};

/// A title has at most so many characters.
const MAX_TITLE: usize = 100;
/// Only so many characters of a text are looked at for a title.
const MAX_READ: usize = 4 * MAX_TITLE;
/// A slug has at most so many bytes.
const MAX_SLUG: usize = 48;

/// The title of a failure that left this evidence.
pub(super) fn title_of(failure: &Failure, evidence: &Evidence) -> String {
    let scene = Scene::of(failure, evidence);
    let title = Wording { failure, scene: &scene }.title();
    shortened(title.trim(), MAX_TITLE)
}

/// The beginning of a text in one line.
fn plain(text: &str) -> String {
    let text: String = text.chars().take(MAX_READ).collect();
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

struct Wording<'a> {
    failure: &'a Failure,
    scene: &'a Scene,
}

impl Wording<'_> {
    fn title(&self) -> String {
        let place = self.place();
        match self.failure.class {
            FailureClass::HttpStatus => {
                format!("{place} answered {}, expected {}", self.status(), self.expected())
            }
            FailureClass::Auth => match status_in(self.failure) {
                Some(401) => "A valid identity is not accepted: 401".to_owned(),
                _ => format!("{place} refuses a valid identity: {}", self.status()),
            },
            FailureClass::WsRefused => {
                format!("{place}: handshake answered {}", self.status())
            }
            FailureClass::WsClose => self.closed(),
            FailureClass::Assertion => self.not_as_expected(&place),
            FailureClass::Schema => format!("{place}: the answer does not fit its schema"),
            FailureClass::Latency => format!("{place}: {} over its limit", self.subject()),
            FailureClass::MissingEvent => self.missing(),
            FailureClass::UnexpectedEvent => {
                let name = self.failure.actual.as_deref().unwrap_or("an event");
                format!("{} came and must not", name.split(' ').next().unwrap_or(name))
            }
            FailureClass::EventOrder => format!("{place}: events out of order"),
            FailureClass::Timeout => format!("{place} did not answer in time"),
            FailureClass::Connection => match self.scene.place {
                Some(Place::Route { .. }) => format!("{place}: the connection was lost"),
                Some(Place::Host(_)) | None => format!("{place} cannot be reached"),
            },
            FailureClass::Dns => format!("{place} does not resolve"),
            FailureClass::Tls => format!("{place}: TLS failed: {}", self.subject()),
            FailureClass::Setup => format!("Fixture failed: {}", self.sentence()),
            FailureClass::Command => self.of_command(),
            FailureClass::Reported | FailureClass::Blocked => self.sentence(),
        }
    }

    /// What the step talked to, or its name.
    fn place(&self) -> String {
        match (&self.scene.place, self.failure.step.as_deref()) {
            (Some(place), _) => place.to_string(),
            (None, Some(step)) => plain(step),
            (None, None) => "A step".to_owned(),
        }
    }

    fn status(&self) -> String {
        status_in(self.failure).map_or_else(
            || plain(self.failure.actual.as_deref().unwrap_or("otherwise")),
            |status| status.to_string(),
        )
    }

    /// What was asked for, and what came instead where there is room for it.
    fn not_as_expected(&self, place: &str) -> String {
        let (subject, expected) = (self.subject(), self.expected());
        let wanted = if expected.ends_with(subject) {
            format!("{place}: expected {expected}")
        } else {
            format!("{place}: expected {subject} {expected}")
        };
        let got =
            self.failure.actual.as_deref().map(|actual| format!("{wanted}, got {}", plain(actual)));
        got.filter(|told| told.chars().count() <= MAX_TITLE).unwrap_or(wanted)
    }

    fn expected(&self) -> String {
        plain(self.failure.expected.as_deref().unwrap_or("another"))
    }

    fn subject(&self) -> &str {
        self.failure.subject.as_deref().unwrap_or("the answer")
    }

    fn closed(&self) -> String {
        let text = self.failure.actual.as_deref().unwrap_or(&self.failure.message);
        match Close::of(text) {
            Some(Close { code, reason: "" }) => format!("Socket closed with {code}"),
            Some(Close { code, reason }) => {
                format!("Socket closed with {code}: {}", plain(reason))
            }
            None => "Socket closed".to_owned(),
        }
    }

    fn missing(&self) -> String {
        match self.scene.missing.as_slice() {
            [] => format!("Events missing: {}", self.expected()),
            [one] => format!("{one} never came"),
            [first, second] => format!("{first} and {second} never came"),
            [first, rest @ ..] => format!("{first} and {} more events never came", rest.len()),
        }
    }

    /// What became of a command, whose name stands as it is: `e2e` is no number that varies.
    fn of_command(&self) -> String {
        let name = self.failure.step.as_deref().unwrap_or_default();
        let what = self.failure.message.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        let what = what.and_then(|what| what.lines().next());
        what.map_or_else(|| self.sentence(), |what| format!("{name}: {}", plain(what)))
    }

    /// The first line of what was said.
    fn sentence(&self) -> String {
        let mut lines = self.failure.message.lines().map(str::trim);
        let line = lines.find(|line| !line.is_empty()).unwrap_or("no message");
        let line = plain(line);
        let mut chars = line.chars();
        chars
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect::<String>())
    }
}

/// At most so many characters, cut at a word where that loses little.
fn shortened(text: &str, max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max) else { return text.to_owned() };
    let kept = &text[..end];
    let at_word = kept.rfind(' ').filter(|at| *at > end / 2).unwrap_or(end);
    format!("{}…", kept[..at_word].trim_end_matches([' ', ',', ':', ';']))
}

/// A short name for a file, made of a title without what varies from run to run: lower-case ASCII
/// letters, digits and single hyphens.
///
/// Never empty, at most 48 bytes, and never a name that a file system keeps for itself.
pub fn slug_of(title: &str) -> String {
    let title = normalise_as(title, Style::WANTED);
    let mut slug = String::with_capacity(MAX_SLUG);
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') && !matches!(c, '\'' | '\u{2019}') {
            slug.push('-');
        }
        if slug.len() > MAX_SLUG {
            let whole_words = slug.rfind('-').filter(|at| *at > MAX_SLUG / 2);
            slug.truncate(whole_words.unwrap_or(MAX_SLUG));
            break;
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    let reserved = matches!(slug.as_str(), "" | "con" | "prn" | "aux" | "nul");
    if reserved { "failure".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::evidence::{EventsSeen, Exchange, Protocol};
    use crate::domain::failure::Blame;

    fn failure(class: FailureClass, subject: &str, expected: &str, actual: &str) -> Failure {
        Failure {
            class,
            blame: Blame::Service,
            message: format!("expected {subject} {expected}, got {actual}"),
            step: Some("read 3".to_owned()),
            expected: Some(expected.to_owned()),
            actual: Some(actual.to_owned()),
            subject: Some(subject.to_owned()),
            repro: None,
        }
    }

    fn evidence(protocol: Protocol, url: &str, missing: &[&str]) -> Evidence {
        let mut evidence = Evidence::default();
        let mut exchange = Exchange::begin("read 3", protocol, "GET", url);
        exchange.remote = Some("192.0.2.1:443".to_owned());
        evidence.record(exchange);
        evidence.events.push(EventsSeen {
            step: "read 3".to_owned(),
            expected: Vec::new(),
            ordered: true,
            seen: Vec::new(),
            missing: missing.iter().map(|name| (*name).to_owned()).collect(),
            forbidden: Vec::new(),
            out_of_order: false,
        });
        evidence
    }

    #[test]
    fn titles_say_what_happened() {
        use FailureClass as C;
        let http = evidence(Protocol::Http, "https://x.example/api/messages/17", &[]);
        let ws = evidence(Protocol::Ws, "wss://x.example/ws", &["agent_completed"]);
        let table = [
            (
                &http,
                failure(C::HttpStatus, "status", "200", "404"),
                "GET /api/messages/{id} answered 404, expected 200",
            ),
            (
                &http,
                failure(C::Auth, "status", "2xx", "401"),
                "A valid identity is not accepted: 401",
            ),
            (
                &http,
                failure(C::Auth, "status", "2xx", "403"),
                "GET /api/messages/{id} refuses a valid identity: 403",
            ),
            (
                &http,
                failure(C::Assertion, "$.status", "\"healthy\"", "\"down\""),
                "GET /api/messages/{id}: expected $.status \"healthy\", got \"down\"",
            ),
            (
                &http,
                failure(C::Assertion, "$.items", "2", "0"),
                "GET /api/messages/{id}: expected $.items 2, got 0",
            ),
            (
                &http,
                failure(C::Assertion, "answer", "an answer", "more than 10 MB"),
                "GET /api/messages/{id}: expected an answer, got more than 10 MB",
            ),
            (
                &http,
                failure(C::Latency, "latency", "< 1s", "2.1s"),
                "GET /api/messages/{id}: latency over its limit",
            ),
            (
                &http,
                failure(C::Timeout, "answer", "an answer", "no answer"),
                "GET /api/messages/{id} did not answer in time",
            ),
            (&http, failure(C::Dns, "name", "an address", "nothing"), "x.example does not resolve"),
            (
                &ws,
                failure(
                    C::WsClose,
                    "close code",
                    "x",
                    "close 1008 (token expired at 17) after 0 of 1",
                ),
                "Socket closed with 1008: token expired at 17",
            ),
            (
                &ws,
                failure(C::WsClose, "close code", "x", "close 1011 after 0 of 1"),
                "Socket closed with 1011",
            ),
            (
                &ws,
                failure(C::WsRefused, "handshake", "an open socket", "503"),
                "WS /ws: handshake answered 503",
            ),
            (
                &ws,
                failure(C::MissingEvent, "events", "agent_completed", "0 of 1"),
                "agent_completed never came",
            ),
            (
                &ws,
                failure(C::UnexpectedEvent, "events", "none", "error_message after 3 ms"),
                "error_message came and must not",
            ),
        ];
        for (evidence, failure, expected) in table {
            assert_eq!(title_of(&failure, evidence), expected);
        }
    }

    #[test]
    fn without_evidence_a_title_rests_on_the_step_or_the_message() {
        let nothing = Evidence::default();
        let status = failure(FailureClass::HttpStatus, "status", "200", "404");
        assert_eq!(title_of(&status, &nothing), "read 3 answered 404, expected 200");
        let mut reported = failure(FailureClass::Reported, "", "", "");
        reported.message = "\n  AssertionError: user 17 is gone\n  at line 3".to_owned();
        assert_eq!(title_of(&reported, &nothing), "AssertionError: user 17 is gone");
        reported.message = "Expected \t401\u{1b} got {\"id\": \"4f1c2aa\"}".to_owned();
        assert_eq!(title_of(&reported, &nothing), "Expected 401 got {\"id\": \"4f1c2aa\"}");
        reported.message = String::new();
        assert_eq!(title_of(&reported, &nothing), "No message");
    }

    #[test]
    fn what_came_is_told_where_there_is_room() {
        let nothing = Evidence::default();
        let long = failure(FailureClass::Assertion, "$.name", "\"Ada\"", &"x".repeat(90));
        assert_eq!(title_of(&long, &nothing), "read 3: expected $.name \"Ada\"");
    }

    #[test]
    fn a_command_keeps_its_name() {
        let mut command = failure(FailureClass::Command, "command", "exit 0", "exited with code 3");
        command.step = Some("e2e".to_owned());
        command.message = "e2e: exited with code 3, after 12 cases were reported".to_owned();
        let wanted = "e2e: exited with code 3, after 12 cases were reported";
        assert_eq!(title_of(&command, &Evidence::default()), wanted);
        command.message = "12 files are left".to_owned();
        assert_eq!(title_of(&command, &Evidence::default()), "12 files are left");
    }

    #[test]
    fn slugs_are_short_and_whole() {
        let table = [
            (
                "GET /api/settings answered 404, expected 200",
                "get-api-settings-answered-404-expected-200",
            ),
            ("Socket closed with 1008: token expired", "socket-closed-with-1008-token-expired"),
            ("It isn't there", "it-isnt-there"),
            ("GET /cart: expected $.items 2, got 0", "get-cart-expected-items-got"),
            ("User 7c9e6679-7425-40de-944b-e07fc1f90ae7 is gone", "user-is-gone"),
            ("../../etc/passwd", "etc-passwd"),
            ("Größe", "gr-e"),
            ("日本語", "failure"),
            ("", "failure"),
            ("NUL", "failure"),
            (
                "The agent run that was started by the first user never came to its end",
                "the-agent-run-that-was-started-by-the-first-user",
            ),
        ];
        for (title, expected) in table {
            assert_eq!(slug_of(title), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_slug_is_always_a_safe_file_name(title in any::<String>()) {
            let slug = slug_of(&title);
            prop_assert!((1..=MAX_SLUG).contains(&slug.len()));
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            prop_assert!(slug.bytes().all(plain), "{slug}");
            prop_assert!(!slug.starts_with('-') && !slug.ends_with('-') && !slug.contains("--"));
        }

        #[test]
        fn a_title_is_short_whatever_came(message in any::<String>(), class in prop::sample::select(FailureClass::ALL)) {
            let mut failure = failure(class, &message, &message, &message);
            failure.message = message;
            let title = title_of(&failure, &Evidence::default());
            prop_assert!((1..=MAX_TITLE + 1).contains(&title.chars().count()), "{title}");
        }
    }
}
