//! The data of a pipeline's grid: kept by browsers until it changes, and honest about what it leaves out.

use andon::domain::event::Event;
use andon::domain::names::CaseId;
use andon::domain::outcome::Outcome;
use andon::store::{Append, CaseRow, CycleKey, Projection};

use crate::client::get;
use crate::house::{House, READ, all_tokens, event, house, into_deploy};

const GRID: &str = "/pipelines/chat/grid.json";

/// A cycle of one case that ended with this verdict.
pub(crate) async fn ended(house: &House, verdict: &str) -> CycleKey {
    let key = house.begin_cycle("chat").await;
    let suite = serde_json::json!({
        "kind": "suite_planned", "name": "P1", "digest": "s1", "flaky": "pass",
        "suspicious": "warn", "deadline_at": "2026-05-28T20:36:40Z",
        "cases": [{ "id": "login", "name": "One logs in", "area": "Login", "priority": "P1", "digest": "d1" }],
    });
    let row = CaseRow {
        case: CaseId::parse("login").unwrap(),
        outcome: Some(Outcome::Passed),
        change: None,
        duration_ms: 512,
        attempts: 1,
        fingerprint: None,
    };
    let reason = (verdict == "void").then_some("revision_changed");
    let end = serde_json::json!({ "kind": "finished", "verdict": verdict, "void_reason": reason });
    let mut events: Vec<Event> = into_deploy().into_iter().take(3).collect();
    events.extend([suite, end].map(event));
    let projection = Projection { cases: vec![row], ..Projection::default() };
    let at = "2026-05-28T20:26:40Z".parse().unwrap();
    let append =
        Append { cycle: key.clone(), expected_seq: 1, lease: None, events, at, projection };
    house.store.append(append).await.unwrap();
    key
}

/// Asks as a browser that has this already: the status, and what it has then.
async fn asked_again(house: &House, known: &str) -> (u16, String) {
    let reply = house.ask(get(GRID).token(READ).with("if-none-match", known)).await;
    assert_eq!(reply.header("cache-control"), "private, no-cache");
    assert_eq!(reply.status == 304, reply.body.is_empty(), "{}", reply.text());
    (reply.status, reply.header("etag").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grid_that_a_browser_has_is_not_made_again() {
    let house = house(&all_tokens()).await;
    ended(&house, "green").await;
    let (status, first) = asked_again(&house, "\"other\"").await;
    assert_eq!((status, first.starts_with("W/\"")), (200, true), "{first}");
    let listed = format!("\"a\", {}", first.trim_start_matches("W/"));
    for known in [&first, &listed, "*"] {
        assert_eq!(asked_again(&house, known).await, (304, first.clone()), "{known}");
    }
    // What stands on the page beside the grid is news, too; what is of another pipeline is none.
    let other = house.begin_cycle("shop").await;
    house.append(&other, 1, into_deploy()).await;
    assert_eq!(asked_again(&house, &first).await, (304, first.clone()));
    let mut known = first;
    for verdict in ["void", "red"] {
        ended(&house, verdict).await;
        let (status, now) = asked_again(&house, &known).await;
        assert_eq!((status, now == known), (200, false), "{verdict}");
        known = now;
    }
    let gone = CycleKey::new(house.name("chat"), 1);
    house.store.expire_cycles(&[gone], "2026-06-28T20:26:40Z".parse().unwrap()).await.unwrap();
    assert_eq!(asked_again(&house, &known).await.0, 200, "a column went");
    // Who may not read is told nothing, whatever they know.
    house.ask(get(GRID).with("if-none-match", "*")).await.page(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grid_says_which_cycles_have_no_column() {
    let house = house(&[]).await;
    ended(&house, "green").await;
    let told = async || {
        let grid = house.ask(get(GRID)).await.is(200).json();
        let page = house.ask(get("/pipelines/chat")).await.page(200).html();
        let says = grid["says"].as_str().unwrap().to_owned();
        assert!(page.contains(&format!("{says}</p>")), "{says}: {page}");
        (grid["cycles"].as_array().unwrap().len(), says)
    };
    assert_eq!(told().await, (1, String::new()));
    for verdict in ["void", "green", "cancelled", "void", "red"] {
        ended(&house, verdict).await;
    }
    house.begin_cycle("chat").await;
    let says = "A column is a cycle with a valid suite: of the newest 7 cycles 3 have none (1 cancelled, 2 void).";
    assert_eq!(told().await, (3, says.to_owned()));
    // Those before the first column have none, either.
    let first = CycleKey::new(house.name("chat"), 1);
    house.store.expire_cycles(&[first], "2026-06-28T20:26:40Z".parse().unwrap()).await.unwrap();
    let says = "A column is a cycle with a valid suite: of the newest 7 cycles 4 have none (1 cancelled, 1 expired, 2 void).";
    assert_eq!(told().await, (2, says.to_owned()));
}
