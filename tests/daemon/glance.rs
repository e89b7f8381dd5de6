//! What a reader learns at a glance: of a card which revision was tested last, of a pipeline which cases are flaky.

use andon::domain::event::Event;
use andon::domain::history::{CaseHead, RecentRun};
use andon::domain::names::CaseId;
use andon::domain::outcome::Outcome;
use andon::store::{Append, Projection};
use serde_json::json;

use crate::client::get;
use crate::house::{House, event, house, into_deploy};

/// A cycle of this revision and verdict.
async fn cycle(house: &House, sha: &str, verdict: &str, heads: Vec<CaseHead>) {
    let key = house.begin_cycle("chat").await;
    let revision = json!({
        "sha": sha.repeat(40), "subject": format!("Change {sha}"), "author": "Ada Brandt",
        "branch": "main", "time": "2026-05-28T20:26:40Z",
    });
    let mut events: Vec<Event> = into_deploy();
    for it in &mut events {
        if let Event::RevisionResolved(resolved) = it {
            resolved.revision = serde_json::from_value(revision.clone()).unwrap();
        }
    }
    events.push(event(json!({ "kind": "finished", "verdict": verdict })));
    let at = "2026-05-28T20:26:40Z".parse().unwrap();
    let projection = Projection { heads, ..Projection::default() };
    let append = Append { cycle: key, expected_seq: 1, lease: None, events, at, projection };
    house.store.append(append).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_whose_deploy_failed_tells_what_was_tested_last() {
    let house = house(&[]).await;
    cycle(&house, "a", "green", vec![]).await;
    let of_card = |html: String| {
        let card = html.split("<li class=\"card").find(|it| it.contains("/pipelines/chat\""));
        card.unwrap().to_owned()
    };
    let green = of_card(house.ask(get("/")).await.page(200).html());
    assert!(green.contains("Change a") && !green.contains("tried"), "{green}");
    cycle(&house, "b", "deploy_failed", vec![]).await;
    cycle(&house, "c", "cancelled", vec![]).await;
    let failed = of_card(house.ask(get("/")).await.page(200).html());
    let (tried, tested) = failed.split_once(">last tested</span>").expect("both are told");
    assert!(tried.contains(">tried</span>") && tried.contains("Change b"), "{failed}");
    assert!(tested.contains("Change a") && !failed.contains("Change c"), "{failed}");
}

/// A case by its latest runs, each on a revision.
fn head(case: &str, planned_in: u32, runs: &[(u32, Outcome)]) -> CaseHead {
    let run = |(cycle, (revision_key, outcome)): (u32, &(u32, Outcome))| RecentRun {
        cycle,
        revision_key: *revision_key,
        duration_ms: 1,
        outcome: *outcome,
    };
    CaseHead {
        case: CaseId::parse(case).unwrap(),
        planned_in,
        last_outcome: runs.last().unwrap().1,
        known: None,
        last_good: None,
        first_failing: None,
        failing_for: 0,
        failure_changed: None,
        flaked_as: None,
        causes: Vec::new(),
        recent: (1..).zip(runs).map(run).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_lists_its_flaky_cases() {
    use Outcome::{Failed, Flaky, Passed};
    let house = house(&[]).await;
    let none = house.ask(get("/pipelines/chat")).await.page(200).html();
    assert!(none.contains("None: no case was at odds with itself"), "{none}");
    let heads = vec![
        head("chat/opens <b>", 2, &[(7, Passed), (7, Failed)]),
        head("chat/steady", 2, &[(7, Passed), (8, Failed)]),
        head("chat/gone", 1, &[(7, Flaky)]),
    ];
    cycle(&house, "a", "green", vec![]).await;
    cycle(&house, "b", "red", heads).await;
    let html = house.ask(get("/pipelines/chat")).await.page(200).html();
    let (_, flaky) = html.split_once("id=\"flaky\"").unwrap();
    let (flaky, _) = flaky.split_once("</section>").unwrap();
    assert!(flaky.contains("/cases/chat/opens%20%3Cb%3E\">chat/opens &lt;b&gt;</a>"), "{flaky}");
    assert!(flaky.contains("1 of the last 2 runs"), "{flaky}");
    assert!(flaky.contains("/pipelines/chat/cycles/2\">cycle 2</a>"), "{flaky}");
    assert!(!flaky.contains("steady") && !flaky.contains("gone"), "{flaky}");
    // A page that follows events is sent it when a cycle is over, and not while one runs.
    let live = || get("/pipelines/chat").with("x-andon-parts", "live");
    assert!(house.ask(live()).await.page(200).html().contains("id=\"flaky\""));
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()).await;
    assert!(!house.ask(live()).await.page(200).html().contains("id=\"flaky\""));
}
