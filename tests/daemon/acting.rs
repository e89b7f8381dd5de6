//! What the API has done: triggers, the end of what waits or runs, what a person says.

use andon::domain::event::{Event, Held};
use andon::store::{NewTrigger, PutTrigger};
use serde_json::json;

use crate::client::{get, post};
use crate::house::{ADMIN, House, TRIGGER, all_tokens, house, into_deploy};

async fn waiting(house: &House) -> Vec<(String, String)> {
    let waiting = house.store.waiting_triggers().await.unwrap();
    waiting.into_iter().map(|t| (t.pipeline.to_string(), t.cause.detail)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_is_durable_before_it_is_acknowledged() {
    let house = house(&all_tokens()).await;
    let body = r#"{"revision":"release/2.4","deploy":false,"only":"test_001*","by":"ada"}"#;
    let ask = post("/api/v1/pipelines/chat/trigger", body).token(TRIGGER);
    let reply = house.ask(ask).await.is(202).json();
    let stored = house.store.waiting_triggers().await.unwrap();
    let [trigger] = stored.as_slice() else { panic!("{stored:?}") };
    assert_eq!(reply, json!({ "pipeline": "chat", "trigger": trigger.id, "cycle": null }));
    assert_eq!(trigger.cause.detail, "by ada (token trig)");
    assert_eq!(trigger.requested.as_deref(), Some("release/2.4"));
    assert_eq!(
        (trigger.options.deploy, trigger.options.only.as_deref()),
        (false, Some("test_001*"))
    );
    assert_eq!(trigger.environment.as_str(), "chat-staging");
    let now = house.ask(get("/api/v1/pipelines/chat").token(TRIGGER)).await.is(200).json();
    assert_eq!((&now["state"], &now["waiting"][0]["id"]), (&json!("waiting"), &json!(trigger.id)));
    assert_eq!(now["waiting"][0]["trigger"]["kind"], "manual");
    assert_eq!(now["next"]["schedule"], "nightly");
}

#[tokio::test(flavor = "multi_thread")]
async fn b2_the_same_key_gets_the_first_answer() {
    let house = house(&[]).await;
    let ask = |key: &str| post("/api/v1/pipelines/chat/trigger", "").with("idempotency-key", key);
    let first = house.ask(ask("k-1")).await.is(202).json();
    assert_eq!(house.ask(ask("k-1")).await.is(202).json(), first);
    let other = house.ask(ask("k-2")).await.is(202).json();
    assert_ne!(other["trigger"], first["trigger"]);
    let changed = post("/api/v1/pipelines/chat/trigger", r#"{"deploy":false}"#);
    let refused = house.ask(changed.with("idempotency-key", "k-1")).await.is(422).json();
    assert!(refused["detail"].as_str().unwrap().contains("is another"), "{refused}");
    // A key is one of its pipeline, and never one of ours.
    let of_shop = post("/api/v1/pipelines/shop/trigger", "").with("idempotency-key", "k-1");
    assert_ne!(house.ask(of_shop).await.is(202).json()["trigger"], first["trigger"]);
    assert_eq!(waiting(&house).await.len(), 3);
    for key in ["", "  ", &"x".repeat(201), "\u{e4}"] {
        house.ask(ask(key)).await.is(400);
    }
    let ours = house.store.waiting_triggers().await.unwrap().remove(0);
    let engine_s = NewTrigger {
        pipeline: ours.pipeline,
        environment: ours.environment,
        cause: ours.cause,
        requested: None,
        options: ours.options,
        key: Some("after cycle 1".to_owned()),
        not_before: ours.not_before,
    };
    let at = ours.created_at;
    assert!(matches!(house.store.put_trigger(engine_s, at).await.unwrap(), PutTrigger::New(_)));
    let guessed = house.ask(ask("after cycle 1")).await.is(202).json();
    assert_eq!(waiting(&house).await.len(), 5, "{guessed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_is_told() {
    let house = house(&[]).await;
    let trigger = |body: &str| post("/api/v1/pipelines/chat/trigger", body);
    for (body, status, part) in [
        ("{", 400, "does not fit"),
        ("[]", 400, "does not fit"),
        (r#"{"revison":"x"}"#, 400, "revison"),
        (r#"{"deploy":"no"}"#, 400, "does not fit"),
        (r#"{"revision":""}"#, 422, "revision"),
        (r#"{"revision":"--upload-pack=x"}"#, 422, "revision"),
        (r#"{"revision":"a\u0000b"}"#, 422, "revision"),
        (r#"{"only":"test_999*"}"#, 422, "test_999*"),
    ] {
        let reply = house.ask(trigger(body)).await.is(status).json();
        assert!(reply["detail"].as_str().unwrap().contains(part), "{reply}");
    }
    house.ask(trigger(&format!("{{\"by\":\"{}\"}}", "x".repeat(70_000)))).await.is(413);
    house.ask(post("/api/v1/pipelines/no-such/trigger", "{}")).await.is(404);
    house.ask(post("/api/v1/pipelines/%2e%2e/trigger", "{}")).await.is(404);
    assert!(waiting(&house).await.is_empty());
    // What somebody calls himself cannot forge a line of a log or of a report.
    house.ask(trigger("{\"by\":\"  ad\\u001b[31ma\\n\\u202eevil \"}")).await.is(202);
    assert_eq!(waiting(&house).await[0].1, "by ad[31maevil");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_can_be_cancelled_once_and_by_its_own_name() {
    let house = house(&all_tokens()).await;
    let started = house.ask(post("/api/v1/pipelines/chat/trigger", "").token(ADMIN)).await.json();
    let id = started["trigger"].as_i64().unwrap();
    let cancel = |name: &str, id: &str| {
        post(&format!("/api/v1/pipelines/{name}/triggers/{id}/cancel"), "").token(ADMIN)
    };
    house.ask(cancel("shop", &id.to_string())).await.is(404);
    house.ask(cancel("chat", "x")).await.is(404);
    house.ask(cancel("chat", &id.to_string())).await.is(202);
    house.ask(cancel("chat", &id.to_string())).await.is(404);
    assert!(waiting(&house).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_that_does_not_run_here_is_not_cancelled() {
    let house = house(&[]).await;
    house.begin_cycle("chat").await;
    let reply = house.ask(post("/api/v1/pipelines/chat/cycles/1/cancel", "")).await.is(409).json();
    assert!(reply["detail"].as_str().unwrap().contains("does not run in this daemon"), "{reply}");
    house.ask(post("/api/v1/pipelines/chat/cycles/2/cancel", "")).await.is(404);
    let now = house.ask(get("/api/v1/pipelines/chat")).await.json();
    assert_eq!(now["running"]["here"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_cycle_goes_on_as_a_person_says() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    let resume = |body: &str| post("/api/v1/pipelines/chat/cycles/1/resume", body);
    house.ask(resume(r#"{"as":"deployed"}"#)).await.is(409);
    house.append(&key, 1, into_deploy()).await;
    let held = Event::Held(Held { reason: "nobody saw the end".to_owned() });
    house.append(&key, 6, vec![held]).await;
    let now = house.ask(get("/api/v1/pipelines/chat")).await.json();
    assert_eq!(now["state"], "held");
    let why = now["why"].as_str().unwrap();
    assert!(why.contains("`andon resume chat 1 --as deployed|failed|rerun`"), "{why}");
    let reply = house.ask(post("/api/v1/pipelines/chat/cycles/1/cancel", "")).await.is(409).json();
    assert!(reply["help"].as_str().unwrap().contains("resume"), "{reply}");
    house.ask(resume(r#"{"as":"maybe"}"#)).await.is(422);
    house.ask(resume("{}")).await.is(400);
    house.ask(resume(r#"{"as":"failed","by":"ada"}"#)).await.is(202);
    house.ask(resume(r#"{"as":"failed"}"#)).await.is(409);
    let events = house.store.load_events(&key, 0).await.unwrap();
    let Event::Resumed(said) = &events.last().unwrap().event else { panic!("{events:?}") };
    assert_eq!((said.by.as_str(), said.decision.as_str()), ("ada", "failed"));
}
