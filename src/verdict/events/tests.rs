//! Which frames satisfy what a step expects of its events.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::domain::spec::Condition;
use crate::domain::template::JsonTemplate;
use proptest::prelude::*;
use serde_json::json;

fn nothing(_: &str) -> Option<Value> {
    None
}

fn expect(all: &[&str], none: &[&str], ordered: bool) -> EventsExpect {
    let names = |list: &[&str]| list.iter().map(|n| Template::literal(n)).collect();
    EventsExpect {
        by: EventName::Json(JsonPath::parse("$.type").unwrap()),
        within: Duration::from_secs(5),
        ordered,
        all: names(all),
        none: names(none),
        filter: vec![],
    }
}

fn judge(expect: &EventsExpect, came: &[&str], end: &EventsEnd) -> (Progress, Option<Finding>) {
    let mut fold = EventsFold::new(expect, &nothing).unwrap();
    let mut progress = fold.progress();
    for (at, name) in (0..).zip(came) {
        let text = json!({"type": name, "run": if name.len() > 1 { 2 } else { 1 }}).to_string();
        progress = fold.push(&Message::new(at, &text, None), &nothing);
        if progress != Progress::NeedMore {
            break;
        }
    }
    (progress, fold.finish("s", end).1.err())
}

fn deadline() -> EventsEnd {
    let five = Duration::from_secs(5);
    EventsEnd::Deadline { limit: five, waited: five }
}

#[test]
fn what_came_decides_class_and_when_to_stop() {
    use FailureClass::{EventOrder, MissingEvent, UnexpectedEvent};
    use Progress::{Done, Failed, NeedMore};
    type Row<'a> =
        (&'a [&'a str], &'a [&'a str], bool, &'a [&'a str], Progress, Option<FailureClass>);
    let table: &[Row<'_>] = &[
        (&["a", "b"], &[], false, &["b", "x", "a"], Done, None),
        (&["a", "b"], &[], true, &["a", "x", "b"], Done, None),
        (&["a", "b"], &[], true, &["b", "a"], NeedMore, Some(EventOrder)),
        (&["a", "b"], &[], true, &["b", "a", "b"], Done, None),
        (&["a", "a"], &[], false, &["a"], NeedMore, Some(MissingEvent)),
        (&["a", "a"], &[], true, &["a", "a"], Done, None),
        (&["a", "b"], &["e"], false, &["a", "e", "b"], Failed, Some(UnexpectedEvent)),
        (&["a"], &["e"], false, &["a", "e"], Done, None),
        (&[], &["e"], false, &["a"], NeedMore, None),
        (&[], &["e"], false, &["e"], Failed, Some(UnexpectedEvent)),
        (&["a"], &[], false, &[], NeedMore, Some(MissingEvent)),
    ];
    for (all, none, ordered, came, progress, class) in table {
        let (found, finding) = judge(&expect(all, none, *ordered), came, &deadline());
        assert_eq!(found, *progress, "{all:?} {none:?} {came:?}");
        assert_eq!(finding.map(|f| f.class), *class, "{all:?} {none:?} {came:?}");
    }
}

#[test]
fn how_a_socket_ended_is_told_apart() {
    let wanted = expect(&["a", "b"], &[], false);
    let closed = |code| EventsEnd::Closed { code, reason: "policy".to_owned() };
    let found = judge(&wanted, &["a"], &closed(1008)).1.unwrap();
    assert_eq!(found.class, FailureClass::WsClose);
    assert_eq!(
        found.into_failure().message,
        "expected events a, b, got close 1008 (policy) after 1 of 2"
    );
    assert_eq!(judge(&wanted, &["a"], &closed(1000)).1.unwrap().class, FailureClass::MissingEvent);
    let cut = EventsEnd::Cut("the connection was reset".to_owned());
    assert_eq!(judge(&wanted, &[], &cut).1.unwrap().class, FailureClass::Connection);
    assert_eq!(judge(&expect(&[], &["e"], false), &[], &closed(1000)).1, None);
    assert!(judge(&expect(&[], &["e"], false), &[], &closed(1011)).1.is_some());
    let found = judge(&wanted, &["b"], &deadline()).1.unwrap().into_failure();
    assert_eq!(found.message, "expected events a, b, got 1 of 2 within 5s: a missing; came: b");
}

#[test]
fn a_time_out_is_said_as_it_was_configured() {
    let ms = Duration::from_millis;
    assert_eq!(within(ms(5_000), ms(5_002)), "within 5s");
    assert_eq!(within(ms(5_000), ms(4_990)), "within 5s");
    assert_eq!(within(ms(5_000), ms(209)), "within 5s, of which 209ms were left");
    assert_eq!(within(ms(5_000), ms(0)), "within 5s, of which nothing was left");
}

#[test]
fn only_messages_that_fit_the_filter_count() {
    let mut wanted = expect(&["a"], &["e"], false);
    let run = JsonPath::parse("$.run").unwrap();
    let is =
        |n: i64| Matcher { conditions: vec![Condition::Equals(JsonTemplate::Plain(json!(n)))] };
    wanted.filter = vec![(run, is(7))];
    let mut fold = EventsFold::new(&wanted, &nothing).unwrap();
    for (text, progress) in [
        (r#"{"type": "a", "run": 6}"#, Progress::NeedMore),
        (r#"{"type": "e", "run": 6}"#, Progress::NeedMore),
        ("not json", Progress::NeedMore),
        (r#"{"type": "a", "run": 7.0}"#, Progress::Done),
    ] {
        assert_eq!(fold.push(&Message::new(0, text, None), &nothing), progress, "{text}");
    }
    let (seen, judgement) = fold.finish("s", &EventsEnd::Satisfied);
    assert_eq!(judgement, Ok(()));
    assert_eq!(seen.seen, [("a".to_owned(), 0)]);
}

#[test]
fn events_of_a_stream_are_named_by_its_event_field() {
    let mut wanted = expect(&["chunk", "message"], &[], true);
    wanted.by = EventName::SseEvent;
    let mut fold = EventsFold::new(&wanted, &nothing).unwrap();
    assert_eq!(fold.push(&Message::new(0, "x", Some("chunk")), &nothing), Progress::NeedMore);
    assert_eq!(fold.push(&Message::new(1, "y", None), &nothing), Progress::Done);
}

proptest! {
    /// An independent oracle: a subsequence search over the whole list at once.
    #[test]
    fn the_fold_agrees_with_a_search_over_the_whole(
        all in prop::collection::vec("[abc]", 1..5),
        came in prop::collection::vec("[abcx]", 0..12),
        ordered: bool,
    ) {
        let wanted: Vec<&str> = all.iter().map(String::as_str).collect();
        let seen: Vec<&str> = came.iter().map(String::as_str).collect();
        let holds = if ordered {
            let mut rest = seen.iter();
            wanted.iter().all(|w| rest.any(|s| s == w))
        } else {
            wanted.iter().all(|w| {
                let count = |list: &[&str]| list.iter().filter(|x| *x == w).count();
                count(&seen) >= count(&wanted)
            })
        };
        let (progress, finding) = judge(&expect(&wanted, &[], ordered), &seen, &deadline());
        prop_assert_eq!(progress == Progress::Done, holds);
        prop_assert_eq!(finding.is_none(), holds);
    }
}

#[test]
fn messages_without_a_name_are_no_proof_that_nothing_forbidden_came() {
    let mut expect = expect(&[], &["error"], false);
    expect.by = EventName::Json(JsonPath::parse("$.nope").unwrap());
    let finding = judge(&expect, &["a", "error"], &deadline()).1.unwrap();
    assert_eq!(finding.blame, Blame::Measurement);
    let message = finding.into_failure().message;
    assert!(message.contains("2 messages, none with a name at $.nope"), "{message}");
    assert!(judge(&expect, &[], &deadline()).1.is_none(), "silence is what was wanted");
    expect.by = EventName::Json(JsonPath::parse("$.type").unwrap());
    assert!(judge(&expect, &["a"], &deadline()).1.is_none());
}
