//! What a suite command did on the network while the real service answered, and which faults can be tried on
//! it for that.
//!
//! What is within TLS cannot be changed by whoever stands between; a fault of events can only be tried where
//! events went through in the clear. Which case used what is known where its tool says when each case ran.
//!
//! What it must not do: guess. A case is asked to notice that events are missing only where some are known to
//! be its own.

mod used;

use std::collections::HashMap;

use super::Fault;
use super::applies::Applies;
use crate::domain::names::CaseId;
use crate::domain::observed::{ConnectionSeen, Observed};
use crate::verdict::{ReportedRun, attribute};
use used::{Kind, UNKNOWN};

pub use used::CaseUse;

/// What came of one exchange, as far as it could be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A tunnel that nobody looks into: TLS, or something that is no HTTP.
    Sealed,
    /// An answer, or none.
    Plain,
    /// A success whose content is JSON.
    Json,
    /// A WebSocket, and what came from the service.
    Socket {
        /// How many messages.
        messages: u64,
        /// Whether one was seen to be JSON.
        json: bool,
    },
    /// A stream of server-sent events.
    Events {
        /// Whether anything came.
        any: bool,
        /// Whether an event was seen to be JSON.
        json: bool,
    },
}

/// One exchange with a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// With whom, and when bytes moved.
    pub connection: ConnectionSeen,
    /// What came of it.
    pub content: Content,
    /// The status of the answer, where there was one in the clear.
    pub status: Option<u16>,
}

/// A host that could not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// `host:port`.
    pub host: String,
    /// Why, naming it.
    pub why: String,
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
    /// Hosts that could not be reached, the first of them.
    pub unreached: Vec<Unreached>,
}

/// Whether a host is the service that is tested.
pub type IsService<'a> = &'a dyn Fn(&str) -> bool;

/// Why a fault of TLS traffic cannot be tried.
const SEALED: &str = "the traffic with the service is TLS within the proxy, where nothing can be changed; \
                      a command that reads ANDON_VAR_BASE_URL talks to the proxy in the clear";

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
        let failed = |of: &dyn Fn(&str) -> bool| {
            let whys = self.unreached.iter().filter(|no| of(&no.host)).map(|no| no.why.as_str());
            whys.take(NAMED).collect::<Vec<_>>().join("; ")
        };
        let (of_all, of_service) = (failed(&|_| true), failed(is_service));
        Some(match (others.as_slice(), of_all.as_str(), of_service.as_str()) {
            ([], "", _) => "what it asked of the proxy reached nobody".to_owned(),
            ([], why, _) => format!("what it asked of the proxy reached nobody: {why}"),
            (others, _, "") => format!(
                "it talked to {} through the proxy, and to the service past it",
                others.join(", ")
            ),
            (_, _, why) => format!("what it asked of the service did not reach it: {why}"),
        })
    }

    /// Whether a fault can be tried on whoever made this traffic.
    pub fn applies(&self, fault: Fault, is_service: IsService<'_>) -> Applies {
        let has = |kind: Kind| {
            let mut ours = self.exchanges.iter().filter(|e| is_service(&e.connection.host));
            ours.any(|exchange| kind.is(exchange))
        };
        let sealed = has(Kind::Sealed);
        let unless = |lacks: bool, why: &'static str| match (sealed, lacks) {
            (true, true) => Applies::No(SEALED),
            (false, true) => Applies::No(why),
            (_, false) => Applies::Yes,
        };
        match fault {
            Fault::Refused | Fault::NoAnswer => Applies::Yes,
            Fault::Status500 | Fault::Status404 => {
                unless(sealed || !has(Kind::InTheClear), "nothing was asked in plain HTTP")
            }
            Fault::EmptyJson => unless(
                sealed || !has(Kind::Json),
                "no answer, message or event was seen to be JSON",
            ),
            Fault::WsClose1011 => unless(
                !has(Kind::LongSocket),
                "no WebSocket said more than one thing through the proxy",
            ),
            Fault::EventsMissing => {
                unless(!has(Kind::Events), "no event came through the proxy in the clear")
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
        for kind in Kind::ALL {
            let ours = self.exchanges.iter().filter(|e| is_service(&e.connection.host));
            let of_kind = ours.filter(|exchange| kind.is(exchange));
            let connections: Vec<ConnectionSeen> =
                of_kind.map(|exchange| exchange.connection.clone()).collect();
            for case in users(runs, connections) {
                used.entry(case).or_insert_with(CaseUse::default).add(kind);
            }
        }
        used
    }
}

/// So many hosts are named where a sentence does.
const NAMED: usize = 3;

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
        Exchange { connection, content, status: Some(200) }
    }

    fn traffic(contents: &[Content]) -> Traffic {
        let exchanges = contents.iter().map(|content| exchange("api:443", 0, *content)).collect();
        Traffic { contacts: 1, exchanges, ..Traffic::default() }
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
        let quiet = [Socket { messages: 0, json: false }, Events { any: false, json: false }];
        assert_eq!(tried(&traffic(&quiet)).len(), 4);
        let one = traffic(&[Socket { messages: 1, json: false }]);
        assert!(tried(&one).contains(&"events_missing") && !tried(&one).contains(&"ws_close_1011"));
        assert!(
            tried(&traffic(&[Socket { messages: 2, json: false }, Sealed]))
                .contains(&"ws_close_1011")
        );
        assert!(tried(&traffic(&[Events { any: true, json: false }])).contains(&"events_missing"));
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
                exchange("api:443", 10, Content::Events { any: true, json: false }),
                exchange("api:443", 20, Content::Plain),
            ],
            ..Traffic::default()
        };
        let concerns = |used: &HashMap<CaseId, CaseUse>, id: &CaseId, fault| {
            let used = used.get(id).cloned().unwrap_or_default();
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

    /// Whose right answer is an error is asked for nothing that it had already; whoever had others, too, has
    /// those to notice the fault by.
    #[test]
    fn a_status_that_all_answers_had_already_is_no_fault() {
        let id = CaseId::parse("a").unwrap();
        let run = [ReportedRun {
            case: &id,
            passed: true,
            began_at: None,
            took_ms: None,
            took_ms_before: None,
        }];
        let answered = |statuses: &[Option<u16>]| {
            let exchange = |status: &Option<u16>| Exchange {
                status: *status,
                ..exchange("api:443", 0, Content::Plain)
            };
            let exchanges = statuses.iter().map(exchange).collect();
            let traffic = Traffic { contacts: 1, exchanges, ..Traffic::default() };
            traffic.by_case(&run, &|_| true).remove(&id).unwrap()
        };
        for (statuses, of_500, of_404) in [
            (&[Some(500)][..], false, true),
            (&[Some(404), Some(404)], true, false),
            // One that was never answered says nothing.
            (&[Some(500), None], false, true),
            (&[None], true, true),
            (&[Some(500), Some(404)], true, true),
            (&[Some(500), Some(200)], true, true),
            (&[Some(503)], true, true),
        ] {
            let used = answered(statuses);
            let concerns = |fault| used.applies(fault) == Applies::Yes;
            let found = (concerns(Fault::Status500), concerns(Fault::Status404));
            assert_eq!(found, (of_500, of_404), "{statuses:?}");
        }
        assert_eq!(CaseUse::default().applies(Fault::Status500), Applies::Yes, "nobody knows");
    }

    #[test]
    fn what_was_said_in_json_makes_an_empty_answer_a_fault() {
        use Content::{Events, Socket};
        for (content, applies) in [
            (Socket { messages: 1, json: true }, true),
            (Socket { messages: 1, json: false }, false),
            (Events { any: true, json: true }, true),
            (Events { any: true, json: false }, false),
        ] {
            let found = tried(&traffic(&[content])).contains(&"empty_json");
            assert_eq!(found, applies, "{content:?}");
        }
    }

    #[test]
    fn why_nobody_was_reached_is_told() {
        let unreached = |host: &str| Unreached {
            host: host.to_owned(),
            why: format!("no connection to {host}: connection refused"),
        };
        let is_service = |host: &str| host == "api:443";
        let mut traffic =
            Traffic { contacts: 1, unreached: vec![unreached("api:443")], ..Traffic::default() };
        let why = traffic.why_nothing_to_try(&is_service).unwrap();
        assert!(
            why.ends_with("reached nobody: no connection to api:443: connection refused"),
            "{why}"
        );
        traffic.exchanges.push(exchange("mails:25", 0, Content::Sealed));
        let why = traffic.why_nothing_to_try(&is_service).unwrap();
        assert!(why.contains("did not reach it: no connection to api:443"), "{why}");
        traffic.unreached = vec![unreached("b:1")];
        let why = traffic.why_nothing_to_try(&is_service).unwrap();
        assert!(why.contains("mails:25 through the proxy, and to the service past it"), "{why}");
    }
}
