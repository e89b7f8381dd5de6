//! What a suite command did on the network while the real service answered, and which faults can be tried on
//! it for that.
//!
//! What is within TLS cannot be changed by whoever stands between; a fault of events can only be tried where
//! events went through in the clear. Which case used what is known where its tool says when each case ran.
//!
//! What it must not do: guess. A case is asked to notice that events are missing only where some are known to
//! be its own.

use std::collections::HashMap;

use super::Fault;
use super::applies::Applies;
use crate::domain::names::CaseId;
use crate::domain::observed::{ConnectionSeen, Observed};
use crate::verdict::{ReportedRun, attribute};

/// What came of one exchange, as far as it could be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A tunnel that nobody looks into: TLS, or something that is no HTTP.
    Sealed,
    /// An answer, or none.
    Plain,
    /// A success whose content is JSON.
    Json,
    /// A WebSocket, and how many messages came from the service.
    Socket {
        /// How many.
        messages: u64,
    },
    /// A stream of server-sent events.
    Events {
        /// Whether anything came.
        any: bool,
    },
}

/// One exchange with a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// With whom, and when bytes moved.
    pub connection: ConnectionSeen,
    /// What came of it.
    pub content: Content,
}

/// What came through the proxy of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many connections the command made to the proxy.
    pub contacts: u64,
    /// The exchanges that came of them, the first of them where there were very many.
    pub exchanges: Vec<Exchange>,
    /// How many exchanges are only counted.
    pub more: u64,
}

/// Whether a host is the service that is tested.
pub type IsService<'a> = &'a dyn Fn(&str) -> bool;

/// Why a fault of TLS traffic cannot be tried.
const SEALED: &str = "the traffic with the service is TLS within the proxy, where nothing can be changed; \
                      a command that reads ANDON_VAR_BASE_URL talks to the proxy in the clear";

/// Why a fault cannot be tried that only who knows the expectations of a case can judge.
const UNKNOWN: &str = "what a command expects of order, time and values is not known";

impl Traffic {
    /// Why nothing can be shown by a proxy of whoever made this traffic, if so.
    pub fn why_nothing_to_try(&self, is_service: IsService<'_>) -> Option<String> {
        if self.contacts == 0 {
            return Some(
                "it passed without one connection through the proxy: it honours neither HTTP_PROXY \
                 nor ANDON_VAR_BASE_URL"
                    .to_owned(),
            );
        }
        let with_service = |exchange: &Exchange| is_service(&exchange.connection.host);
        if self.more > 0 || self.exchanges.iter().any(with_service) {
            return None;
        }
        let mut others: Vec<&str> =
            self.exchanges.iter().map(|exchange| exchange.connection.host.as_str()).collect();
        others.sort_unstable();
        others.dedup();
        others.truncate(NAMED);
        Some(match others.as_slice() {
            [] => "what it asked of the proxy reached nobody".to_owned(),
            others => format!(
                "it talked to {} through the proxy, and to the service past it",
                others.join(", ")
            ),
        })
    }

    /// Whether a fault can be tried on whoever made this traffic.
    pub fn applies(&self, fault: Fault, is_service: IsService<'_>) -> Applies {
        let has = |is: &dyn Fn(Content) -> bool| {
            let mut ours = self.exchanges.iter().filter(|e| is_service(&e.connection.host));
            ours.any(|exchange| is(exchange.content))
        };
        let sealed = has(&|content| content == Content::Sealed);
        let in_the_clear = has(&|content| content != Content::Sealed);
        let unless = |lacks: bool, why: &'static str| match (sealed, lacks) {
            (true, true) => Applies::No(SEALED),
            (false, true) => Applies::No(why),
            (_, false) => Applies::Yes,
        };
        match fault {
            Fault::Refused | Fault::NoAnswer => Applies::Yes,
            Fault::Status500 | Fault::Status404 => {
                unless(sealed || !in_the_clear, "nothing was asked in plain HTTP")
            }
            Fault::EmptyJson => {
                unless(sealed || !has(&|content| content == Content::Json), "no answer was JSON")
            }
            Fault::WsClose1011 => {
                unless(!has(&goes_on), "no WebSocket said more than one thing through the proxy")
            }
            Fault::EventsMissing => {
                unless(!has(&has_events), "no event came through the proxy in the clear")
            }
            Fault::EventsReordered | Fault::EventsForeign | Fault::Slow | Fault::Stale => {
                Applies::No(UNKNOWN)
            }
        }
    }

    /// What each case is known to have used of the service. A run of one case used everything itself.
    pub fn by_case(
        &self,
        runs: &[ReportedRun<'_>],
        is_service: IsService<'_>,
    ) -> HashMap<CaseId, CaseUse> {
        let mut used = HashMap::new();
        for (is, mark) in KINDS {
            let ours = self.exchanges.iter().filter(|e| is_service(&e.connection.host));
            let of_kind = ours.filter(|exchange| is(exchange.content));
            let connections: Vec<ConnectionSeen> =
                of_kind.map(|exchange| exchange.connection.clone()).collect();
            for case in users(runs, connections) {
                mark(used.entry(case).or_default());
            }
        }
        used
    }
}

/// So many hosts are named where a sentence does.
const NAMED: usize = 3;

/// A kind of content, and where it is noted that a case used it.
type Kind = (fn(Content) -> bool, fn(&mut CaseUse));

const KINDS: [Kind; 4] = [
    (|_| true, |used| used.any = true),
    (|content| content == Content::Json, |used| used.json = true),
    (goes_on, |used| used.long_socket = true),
    (has_events, |used| used.events = true),
];

fn goes_on(content: Content) -> bool {
    match content {
        Content::Socket { messages } => messages > 1,
        Content::Sealed | Content::Plain | Content::Json | Content::Events { .. } => false,
    }
}

fn has_events(content: Content) -> bool {
    match content {
        Content::Socket { messages } => messages > 0,
        Content::Events { any } => any,
        Content::Sealed | Content::Plain | Content::Json => false,
    }
}

/// The cases that alone can have used one of these connections.
fn users(runs: &[ReportedRun<'_>], connections: Vec<ConnectionSeen>) -> Vec<CaseId> {
    match runs {
        [only] if !connections.is_empty() => vec![only.case.clone()],
        runs => {
            let observed = Observed { connections, ..Observed::default() };
            attribute(runs, &observed).cases.into_iter().map(|used| used.case.clone()).collect()
        }
    }
}

/// What one case is known to have used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaseUse {
    any: bool,
    json: bool,
    long_socket: bool,
    events: bool,
}

impl CaseUse {
    /// Whether a fault that can be tried on the command concerns this case of it.
    pub fn applies(self, fault: Fault) -> Applies {
        let (applies, why_not) = match fault {
            Fault::Refused | Fault::NoAnswer | Fault::Status500 | Fault::Status404 => (true, ""),
            Fault::EmptyJson => (self.json || !self.any, "none of its own answers was JSON"),
            Fault::WsClose1011 => {
                (self.long_socket, "no WebSocket with several messages is known to be its own")
            }
            Fault::EventsMissing => (self.events, "no events are known to be its own"),
            Fault::EventsReordered | Fault::EventsForeign | Fault::Slow | Fault::Stale => {
                (false, UNKNOWN)
            }
        };
        if applies { Applies::Yes } else { Applies::No(why_not) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::observed::Span;
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn exchange(host: &str, second: i64, content: Content) -> Exchange {
        let connection = ConnectionSeen {
            host: host.to_owned(),
            began_at: at(second),
            ended_at: at(second),
            bytes_sent: 1,
            bytes_received: 1,
            active: vec![Span { from: at(second), to: at(second) }],
        };
        Exchange { connection, content }
    }

    fn traffic(contents: &[Content]) -> Traffic {
        let exchanges = contents.iter().map(|content| exchange("api:443", 0, *content)).collect();
        Traffic { contacts: 1, exchanges, more: 0 }
    }

    /// The faults that can be tried.
    fn tried(traffic: &Traffic) -> Vec<&'static str> {
        let is_service = |host: &str| host == "api:443";
        let applies = |fault: &Fault| traffic.applies(*fault, &is_service) == Applies::Yes;
        Fault::ALL.into_iter().filter(applies).map(Fault::name).collect()
    }

    #[test]
    fn what_was_seen_says_what_can_be_tried() {
        use Content::{Events, Json, Plain, Sealed, Socket};
        let always = ["refused", "no_answer"];
        assert_eq!(tried(&traffic(&[Sealed])), always);
        assert_eq!(tried(&traffic(&[Plain])), ["status_500", "status_404", "refused", "no_answer"]);
        let json = ["status_500", "status_404", "empty_json", "refused", "no_answer"];
        assert_eq!(tried(&traffic(&[Json, Plain])), json);
        assert_eq!(tried(&traffic(&[Json, Sealed])), always, "a part of it cannot be changed");
        let quiet = [Socket { messages: 0 }, Events { any: false }];
        assert_eq!(tried(&traffic(&quiet)).len(), 4);
        let one = traffic(&[Socket { messages: 1 }]);
        assert!(tried(&one).contains(&"events_missing") && !tried(&one).contains(&"ws_close_1011"));
        assert!(tried(&traffic(&[Socket { messages: 2 }, Sealed])).contains(&"ws_close_1011"));
        assert!(tried(&traffic(&[Events { any: true }])).contains(&"events_missing"));
        // What is sealed to somebody else is no matter of the service.
        let mut elsewhere = traffic(&[Json]);
        elsewhere.exchanges.push(exchange("mails:443", 0, Sealed));
        assert_eq!(tried(&elsewhere), json);
    }

    #[test]
    fn why_a_fault_is_not_tried_is_told() {
        let is_service = |_: &str| true;
        let why = |traffic: &Traffic, fault| match traffic.applies(fault, &is_service) {
            Applies::No(why) => why,
            Applies::Yes => "",
        };
        assert!(why(&traffic(&[Content::Sealed]), Fault::Status500).contains("ANDON_VAR_BASE_URL"));
        assert!(why(&traffic(&[Content::Sealed]), Fault::EventsMissing).contains("TLS"));
        assert!(why(&traffic(&[Content::Plain]), Fault::EmptyJson).contains("JSON"));
    }

    #[test]
    fn a_command_that_goes_past_the_proxy_shows_nothing() {
        let is_service = |host: &str| host == "api:443";
        assert!(Traffic::default().why_nothing_to_try(&is_service).unwrap().contains("honours"));
        let none = Traffic { contacts: 1, ..Traffic::default() };
        assert!(none.why_nothing_to_try(&is_service).unwrap().contains("nobody"));
        let exchanges = vec![exchange("mails:25", 0, Content::Sealed)];
        let past = Traffic { exchanges, ..none };
        assert!(past.why_nothing_to_try(&is_service).unwrap().contains("mails:25"));
        assert_eq!(traffic(&[Content::Plain]).why_nothing_to_try(&is_service), None);
    }

    #[test]
    fn a_case_answers_for_events_that_are_known_to_be_its_own() {
        let ids = ["a", "b"].map(|id| CaseId::parse(id).unwrap());
        let run = |case, began: Option<i64>| ReportedRun {
            case,
            passed: true,
            began_at: began.map(|second| Timestamp::from_millisecond(second * 1000 + 1).unwrap()),
            took_ms: Some(500.0),
            took_ms_before: None,
        };
        let traffic = Traffic {
            exchanges: vec![
                exchange("api:443", 10, Content::Events { any: true }),
                exchange("api:443", 20, Content::Plain),
            ],
            ..Traffic::default()
        };
        let concerns = |used: &HashMap<CaseId, CaseUse>, id: &CaseId, fault| {
            let used = used.get(id).copied().unwrap_or_default();
            used.applies(fault) == Applies::Yes
        };
        let is_ours = |host: &str| host == "api:443";
        let timed = traffic.by_case(&[run(&ids[0], Some(10)), run(&ids[1], Some(20))], &is_ours);
        assert!(concerns(&timed, &ids[0], Fault::EventsMissing));
        assert!(!concerns(&timed, &ids[1], Fault::EventsMissing));
        assert!(!concerns(&timed, &ids[1], Fault::EmptyJson), "its one answer was none");
        let untimed = traffic.by_case(&[run(&ids[0], None), run(&ids[1], None)], &is_ours);
        assert!(!concerns(&untimed, &ids[0], Fault::EventsMissing));
        assert!(concerns(&untimed, &ids[0], Fault::EmptyJson), "it may have had one");
        let alone = traffic.by_case(&[run(&ids[0], None)], &is_ours);
        assert!(concerns(&alone, &ids[0], Fault::EventsMissing));
        let of_others = traffic.by_case(&[run(&ids[0], None)], &|_| false);
        assert!(of_others.is_empty(), "what others say is no matter of the service");
        let said = traffic.applies(Fault::EventsMissing, &|_| false);
        assert_ne!(said, Applies::Yes);
        assert!(concerns(&HashMap::new(), &ids[0], Fault::Refused));
    }
}
