//! What pages say where there is little to say: nothing ran, nothing matches, a choice is none.

use andon::store::CycleKey;

use crate::client::get;
use crate::grid::ended;
use crate::house::{House, event, house};
use crate::pages::into_suite;

/// Of an element that begins so: whether it is shown, and what it holds.
fn shown<'a>(html: &'a str, begins: &str) -> (bool, &'a str) {
    let (_, rest) = html.split_once(begins).unwrap_or_else(|| panic!("{begins}: {html}"));
    let (open, rest) = rest.split_once('>').unwrap();
    (!open.contains("hidden"), rest.split("</p>").next().unwrap())
}

const NONE: &str = "<p class=\"dim\" data-none";

/// A cycle whose suite of one case was planned and did not run yet, and how many events it has.
async fn in_suite(house: &House) -> (CycleKey, u64) {
    let planned = serde_json::json!({
        "kind": "suite_planned", "name": "P1", "digest": "s1", "flaky": "pass",
        "suspicious": "warn", "deadline_at": "2026-05-28T20:36:40Z",
        "cases": [{ "id": "login", "name": "One logs in", "area": "Login", "priority": "P1", "digest": "d1" }],
    });
    let key = house.begin_cycle("chat").await;
    let events = into_suite().into_iter().chain([event(planned)]);
    let appended = house.append(&key, 1, events.collect()).await;
    (key, appended.len() as u64 + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_matches_the_page_says_what_was_looked_for_and_leads_back() {
    let house = house(&[]).await;
    ended(&house, "green").await;
    let grid = async |query: &str| {
        house.ask(get(&format!("/pipelines/chat{query}"))).await.page(200).html()
    };
    assert!(!shown(&grid("").await, NONE).0);
    assert!(!shown(&grid("?area=Login&outcome=passed").await, NONE).0);
    let html = grid("?find=%3Cb%3Ezzz&area=Login&change=fixed").await;
    let wanted = "“&lt;b&gt;zzz”, area Login, change fixed";
    let clear = "<a href=\"/pipelines/chat#grid\" data-clear>Show all</a>";
    let says = format!("No case matches <span data-wanted>{wanted}</span>. {clear}");
    assert_eq!(shown(&html, NONE), (true, says.as_str()));

    in_suite(&house).await;
    let cycle = async |query: &str| {
        house.ask(get(&format!("/pipelines/chat/cycles/2{query}"))).await.page(200).html()
    };
    assert!(!shown(&cycle("?area=Login").await, NONE).0);
    let html = cycle("?show=not_run&find=zzz").await;
    let clear = "<a href=\"/pipelines/chat/cycles/2#cases\" data-clear>Show all 1</a>";
    let says = format!("No case matches <span data-wanted>“zzz”, show not run</span>. {clear}");
    assert_eq!(shown(&html, NONE), (true, says.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_is_none_is_said_to_be_unknown_and_not_offered() {
    let house = house(&[]).await;
    ended(&house, "green").await;
    in_suite(&house).await;
    for path in ["/pipelines/chat", "/pipelines/chat/cycles/2"] {
        let query = "?area=Call+evil.example&priority=P9";
        let html = house.ask(get(&format!("{path}{query}"))).await.page(200).html();
        for (name, value) in [("area", "Call evil.example"), ("priority", "P9")] {
            let says = format!(
                "data-unknown role=\"status\">There is no {name} “{value}” here: it limits nothing.<"
            );
            assert_eq!(html.matches(&says).count(), 1, "{path}: {html}");
            assert_eq!(html.matches(value).count(), 1, "no option, no field: {html}");
        }
        assert!(!shown(&html, NONE).0, "it limits nothing: {html}");
    }
}

/// A plan is no run: nobody is told that a suite took no time.
#[tokio::test(flavor = "multi_thread")]
async fn a_suite_that_was_only_planned_did_not_run() {
    let house = house(&[]).await;
    let (key, seq) = in_suite(&house).await;
    let paths = ["/pipelines/chat", "/pipelines/chat/cycles/1"];
    for path in paths {
        let html = house.ask(get(path)).await.page(200).html();
        assert!(html.contains("ran <b>0</b> of 1"), "it may still run: {html}");
    }
    let phase = |kind: &str, phase: &str| serde_json::json!({ "kind": kind, "phase": phase, "outcome": "passed", "duration_ms": 5 });
    let over = [
        serde_json::json!({
            "kind": "suite_ended", "stopped_by": "cancelled", "not_run": [{ "case": "login", "why": "cancelled" }],
            "setup_failures": [], "teardown_failures": [], "retries_withheld": null, "duration_ms": 0,
        }),
        phase("phase_ended", "suite"),
        phase("phase_started", "diff"),
        serde_json::json!({
            "kind": "analysed", "version": 1, "verdict": "cancelled", "void_reason": null, "reason": "a person said so",
            "counts": { "planned": 1, "passed": 0, "flaky": 0, "failed": 0, "errored": 0, "skipped": 0, "not_run": 1 },
            "baseline": null, "cases": [], "clusters": [],
        }),
        phase("phase_ended", "diff"),
        phase("phase_started", "report"),
        phase("phase_ended", "report"),
        serde_json::json!({ "kind": "finished", "verdict": "cancelled", "void_reason": null }),
    ];
    house.append(&key, seq, over.map(event).into_iter().collect()).await;
    for path in paths {
        let html = house.ask(get(path)).await.page(200).html();
        assert!(html.contains("no suite ran") && !html.contains("of 1<"), "{html}");
        assert!(!html.contains("ran <b>0</b>") && !html.contains(">0 ms<"), "{html}");
    }
}

/// Password managers keep a name with each password, and browsers say so where a form has no field for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_has_a_name_for_password_managers() {
    let house = house(&[]).await;
    let html = house.ask(get("/login")).await.page(200).html();
    let name = "name=\"username\" value=\"andon\" autocomplete=\"username\" hidden>";
    let (before, after) = html.split_once(name).unwrap();
    assert!(before.contains("<form method=\"post\"") && after.contains("type=\"password\""));
}
