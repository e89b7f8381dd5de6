//! What a reader learns at a glance: of a card which revision was tested last, of a pipeline which cases are flaky.

use andon::domain::event::Event;
use andon::domain::history::{CaseHead, RecentRun};
use andon::domain::names::CaseId;
use andon::domain::outcome::Outcome;
use andon::store::{Append, CycleKey, Projection};
use serde_json::json;

use crate::client::{get, send};
use crate::house::{House, event, house, into_deploy};
use crate::pages::field;

/// A cycle of this revision and verdict.
async fn cycle(house: &House, sha: &str, verdict: &str, heads: Vec<CaseHead>) {
    let key = house.begin_cycle("chat").await;
    end(house, key, sha, verdict, heads).await;
}

async fn end(house: &House, key: CycleKey, sha: &str, verdict: &str, heads: Vec<CaseHead>) {
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
    if verdict != "running" {
        events.push(event(json!({ "kind": "finished", "verdict": verdict })));
    }
    let at = "2026-05-28T20:26:40Z".parse().unwrap();
    let projection = Projection { heads, ..Projection::default() };
    let append = Append { cycle: key, expected_seq: 1, lease: None, events, at, projection };
    house.store.append(append).await.unwrap();
}

/// The card of the pipeline.
async fn card(house: &House) -> String {
    let html = house.ask(get("/")).await.page(200).html();
    let card = html.split("<li class=\"card").find(|it| it.contains("/pipelines/chat\""));
    card.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn some_cases_say_nothing_of_the_pipeline() {
    let house = house(&[]).await;
    cycle(&house, "a", "red", vec![]).await;
    let part = house.begin_part("chat", "*case_00").await;
    end(&house, part, "b", "green", vec![]).await;
    let card = card(&house).await;
    assert!(card.contains("v-red") && !card.contains("v-green"), "{card}");
    assert!(card.contains("/cycles/1\">cycle 1</a>"), "{card}");
    let all = house.ask(get("/")).await.html();
    assert!(all.contains("1 red</p>"), "{all}");
    assert!(house.ask(get("/badge/chat.svg")).await.text().contains("<title>chat: red</title>"));
    let page = house.ask(get("/pipelines/chat")).await.page(200).html();
    let head = page.split("<section").next().unwrap();
    assert!(head.contains("v-red"), "{head}");
    assert!(
        page.contains("title=\"Only *case_00: of the pipeline it says nothing\">a part<"),
        "{page}"
    );
    let listed = house.ask(get("/api/v1/pipelines/chat/cycles")).await.is(200).json();
    let only: Vec<&serde_json::Value> =
        listed["cycles"].as_array().unwrap().iter().map(|row| &row["only"]).collect();
    assert_eq!(only, [&json!("*case_00"), &json!(null)], "{listed}");
}

/// Without a deploy cases run on what serves now: only while that is what the cycle tested.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_runs_again_only_while_its_revision_serves() {
    let house = house(&[]).await;
    cycle(&house, "a", "running", vec![]).await;
    let page = house.ask(get("/pipelines/chat")).await.html();
    let fields = [("form_key", field(&page, "form_key"))];
    let rerun = || send("/pipelines/chat/cycles/1/rerun", &fields);
    let told = house.ask(rerun()).await.page(409).html();
    assert!(told.contains("no case of cycle 1 of chat is failing"), "{told}");
    cycle(&house, "a", "running", vec![]).await;
    let told = house.ask(rerun()).await.page(409).html();
    assert!(told.contains("is failing"), "the same revision: {told}");
    cycle(&house, "b", "running", vec![]).await;
    let told = house.ask(rerun()).await.page(409).html();
    assert!(told.contains("cycle 3 came after cycle 1 of chat with another revision"), "{told}");
    assert_eq!(house.waits_for("chat").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_whose_deploy_failed_tells_what_was_tested_last() {
    let house = house(&[]).await;
    cycle(&house, "a", "green", vec![]).await;
    let green = card(&house).await;
    assert!(green.contains("Change a") && !green.contains("tried"), "{green}");
    cycle(&house, "b", "deploy_failed", vec![]).await;
    cycle(&house, "c", "cancelled", vec![]).await;
    let failed = card(&house).await;
    assert!(failed.contains("cycles/3\">cycle 3</a> was cancelled since"), "{failed}");
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
        planned_in,
        last_outcome: runs.last().unwrap().1,
        recent: (1..).zip(runs).map(run).collect(),
        ..CaseHead::never_seen(CaseId::parse(case).unwrap())
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
