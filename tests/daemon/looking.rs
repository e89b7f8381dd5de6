//! What the API shows, and that it is what its document says.

use std::fs;

use andon::daemon::{NoRoom, Unserved};
use andon::web::openapi;
use serde_json::{Value, json};

use crate::client::{get, post};
use crate::house::{House, finished, house, into_deploy, pipelines, rolled_back};

/// The answer to a path, checked against the document.
async fn described(house: &House, path: &str, operation: &str) -> Value {
    let answer = house.ask(get(path)).await.is(200).json();
    let document = openapi();
    let described = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .find(|found| found["operationId"] == operation)
        .unwrap_or_else(|| panic!("no {operation}"));
    let mut schema = described["responses"]["200"]["content"]["application/json"]["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(&answer).map(|f| f.to_string()).collect();
    assert!(faults.is_empty(), "{path}: {faults:#?}");
    // A schema that takes everything would prove nothing.
    assert!(!validator.is_valid(&json!({})), "{operation}");
    answer
}

async fn with_a_cycle() -> House {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()).await;
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_what_the_document_says() {
    let house = with_a_cycle().await;
    let status = described(&house, "/api/v1/status", "getStatus").await;
    assert_eq!(status["draining"], false);
    let names: Vec<_> =
        status["pipelines"].as_array().unwrap().iter().map(|p| &p["pipeline"]).collect();
    assert_eq!(names, ["chat", "shop", "twin"]);
    let list = described(&house, "/api/v1/pipelines", "listPipelines").await;
    assert_eq!(list["pipelines"], status["pipelines"]);
    let chat = described(&house, "/api/v1/pipelines/chat", "getPipeline").await;
    assert_eq!((&chat["state"], &chat["running"]["phase"]), (&json!("running"), &json!("deploy")));
    assert_eq!(chat["latest"]["cycle"], 1);
    assert_eq!(chat["repo"], "https://git.example.com/acme/chat.git");
    let cycles = described(&house, "/api/v1/pipelines/chat/cycles?limit=5", "listCycles").await;
    assert_eq!(cycles["cycles"][0], chat["latest"]);
    let cycle = described(&house, "/api/v1/pipelines/chat/cycles/1", "getCycle").await;
    assert_eq!((&cycle["phase"], &cycle["cycle"]), (&json!("deploy"), &json!(1)));
    assert_eq!(cycle["revision"]["short"], "4f1c2aa");
    let latest = house.ask(get("/api/v1/pipelines/chat/cycles/latest")).await.is(200).json();
    assert_eq!(latest, cycle);
    let commits = described(&house, "/api/v1/pipelines/chat/commits", "listCommits").await;
    assert_eq!(
        (&commits["commits"][0]["is"], &commits["commits"][1]),
        (&json!("tested"), &Value::Null)
    );
    described(&house, "/api/v1/pipelines/chat/investigations", "listInvestigations").await;
    described(&house, "/api/v1/pipelines/chat/cycles/1/logs", "listLogs").await;
    described(&house, "/api/v1/pipelines/chat/cycles/1/events", "listEvents").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_read_from_any_event_on() {
    let house = with_a_cycle().await;
    let events = |query: &str| get(&format!("/api/v1/pipelines/chat/cycles/1/events{query}"));
    let all = house.ask(events("")).await.is(200).json();
    let seqs = |answer: &Value| -> Vec<u64> {
        answer["events"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!((seqs(&all), &all["more"]), (vec![1, 2, 3, 4, 5, 6], &json!(false)));
    assert_eq!(all["events"][5]["event"]["kind"], "step_started");
    let some = house.ask(events("?after=2&limit=3")).await.is(200).json();
    assert_eq!((seqs(&some), &some["more"]), (vec![3, 4, 5], &json!(true)));
    for wrong in ["?after=x", "?aftre=2", "?limit=-1"] {
        house.ask(events(wrong)).await.is(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told() {
    let house = with_a_cycle().await;
    for path in [
        "/api/v1/pipelines/no-such",
        "/api/v1/pipelines/Chat",
        "/api/v1/pipelines/chat/cycles/2",
        "/api/v1/pipelines/chat/cycles/finished",
        "/api/v1/pipelines/shop/cycles/latest",
        "/api/v1/pipelines/chat/cases/no-such",
        "/api/v1/pipelines/chat/cycles/1/logs/2",
        "/api/v1/pipelines/chat/cycles/1/logs/0",
        "/api/v1/pipelines/chat/cycles/1/logs/..%2f..%2fandon.db",
        "/badge/chat",
        "/badge/..%2f.svg",
    ] {
        house.ask(get(path)).await.is(404);
    }
    for path in [
        "/api/v1/pipelines/chat/cycles/seven",
        "/api/v1/pipelines/chat/cycles?limit=0",
        "/api/v1/pipelines/chat/cycles?limit=1&limit=2",
    ] {
        house.ask(get(path)).await.is(400);
    }
    for (limit, says) in [("-1", "`limit` is at least 1"), ("x", "the query does not fit: limit: ")]
    {
        let path = format!("/api/v1/pipelines/chat/commits?limit={limit}");
        let detail = house.ask(get(&path)).await.is(400).json()["detail"].to_string();
        assert!(detail.contains(says), "{detail}");
    }
    // A pipeline whose file is gone still has its history.
    house.handle.serve(pipelines(&[("shop", "https://git.example.com/acme/shop.git")]));
    let gone = house.ask(get("/api/v1/pipelines/chat")).await.is(200).json();
    assert_eq!((&gone["served"], &gone["latest"]["cycle"]), (&json!(false), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_come_in_ranges_while_they_grow() {
    let house = with_a_cycle().await;
    let path = "/api/v1/pipelines/chat/cycles/1/logs/1";
    house.ask(get(path)).await.is(404);
    let folder = house.folder.path().join("runs/chat/0001/deploy-01-1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("output.log"), "0123456789").unwrap();
    let whole = house.ask(get(path)).await.is(200);
    assert_eq!((whole.text().as_str(), whole.header("accept-ranges")), ("0123456789", "bytes"));
    assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
    let range = |range: &str| get(path).with("range", range);
    let part = house.ask(range("bytes=2-4")).await.is(206);
    assert_eq!((part.text().as_str(), part.header("content-range")), ("234", "bytes 2-4/10"));
    let rest = house.ask(range("bytes=7-")).await.is(206);
    assert_eq!((rest.text().as_str(), rest.header("content-range")), ("789", "bytes 7-9/10"));
    let end = house.ask(range("bytes=10-")).await.is(416);
    assert_eq!(end.header("content-range"), "bytes */10");
    fs::write(folder.join("output.log"), "0123456789abc").unwrap();
    assert_eq!(house.ask(range("bytes=10-")).await.is(206).text(), "abc");
    let list = house.ask(get("/api/v1/pipelines/chat/cycles/1/logs")).await.is(200).json();
    assert_eq!(list["over"], false);
    assert_eq!(
        (&list["logs"][0]["bytes"], &list["logs"][0]["name"]),
        (&json!(13), &json!("Roll out"))
    );
}

/// The figures as soon as they have this line: the counter listens as everybody does, and comes to it soon.
async fn counting(house: &House, counted: &str) -> String {
    let mut metrics = String::new();
    for _ in 0..1_000 {
        metrics = house.ask(get("/metrics")).await.is(200).text();
        if metrics.contains(counted) {
            return metrics;
        }
        tokio::task::yield_now().await;
    }
    panic!("no {counted} in {metrics}");
}

/// A daemon that starts anew on the same store counts on, and nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn cycles_are_counted_over_all_time() {
    let house = with_a_cycle().await;
    let key = andon::store::CycleKey::new(house.name("chat"), 1);
    house.append(&key, 6, vec![finished()]).await;
    let next = house.begin_cycle("chat").await;
    let line =
        |count| format!("andon_cycles_total{{pipeline=\"chat\",verdict=\"cancelled\"}} {count}\n");
    counting(&house, &line(1)).await;
    let house = house.started_anew().await;
    counting(&house, &line(1)).await;
    house.append(&next, 1, vec![finished()]).await;
    counting(&house, &line(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_badges_and_health_are_there() {
    let house = with_a_cycle().await;
    let key = andon::store::CycleKey::new(house.name("chat"), 1);
    let badge = house.ask(get("/badge/chat.svg")).await.is(200);
    assert_eq!(badge.header("content-type"), "image/svg+xml");
    assert!(badge.text().contains("chat: unknown"), "{}", badge.text());
    house.append(&key, 6, vec![finished()]).await;
    assert_eq!(house.ask(get("/healthz")).await.is(200).text(), "ok\n");
    assert_eq!(house.ask(get("/readyz")).await.is(200).text(), "ready: 3 pipelines\n");
    let kind = house.ask(get("/metrics")).await.is(200);
    assert!(kind.header("content-type").starts_with("text/plain; version=0.0.4"));
    let counted = "andon_cycles_total{pipeline=\"chat\",verdict=\"cancelled\"} 1\n";
    let metrics = counting(&house, counted).await;
    assert!(metrics.contains("andon_latest_cycle{pipeline=\"chat\"} 1\n"), "{metrics}");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("andon_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_by_whoever_is_asked_for_it() {
    let house = with_a_cycle().await;
    let why = "line 2: unknown key \"suit\"".to_owned();
    house.handle.leave_out(vec![Unserved { file: "/p/till.yaml".into(), why: why.clone() }]);
    let status = described(&house, "/api/v1/status", "getStatus").await;
    assert_eq!(status["unserved"], json!([{ "file": "till.yaml", "why": why }]));
    let ready = house.ask(get("/readyz")).await.is(200).text();
    assert_eq!(ready, format!("ready: 3 pipelines\ntill.yaml is not served: {why}\n"));
    let asked = house.ask(post("/api/v1/pipelines/till/trigger", "{}")).await.is(404).json();
    let detail = format!("there is no pipeline \"till\": till.yaml is not served: {why}");
    assert_eq!(asked["detail"], detail);
    assert_eq!(
        asked["help"], "`andon check` shows every fault",
        "what the detail says is not said again"
    );
    let metrics = house.ask(get("/metrics")).await.is(200).text();
    assert!(metrics.contains("\nandon_pipeline_files_refused 1\n"), "{metrics}");
    // Which name it has inside is not known; that it is the reason is not said.
    let other = house.ask(get("/api/v1/pipelines/cashier")).await.is(404).json();
    assert_eq!(other["detail"], "there is no pipeline \"cashier\"");
    let broken = "broken and not served: till.yaml (`andon check` says why)";
    assert_eq!(other["help"], format!("served: chat, shop, twin; {broken}"));
    house.handle.leave_out(vec![]);
    let other = house.ask(get("/api/v1/pipelines/cashier")).await.is(404).json();
    assert_eq!(other["help"], "served: chat, shop, twin");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cycle_went_back_to_is_what_is_deployed() {
    let house = with_a_cycle().await;
    let key = andon::store::CycleKey::new(house.name("chat"), 1);
    house.append(&key, 6, rolled_back("passed")).await;
    let chat = described(&house, "/api/v1/pipelines/chat", "getPipeline").await;
    assert_eq!(
        (&chat["latest"]["verdict"], &chat["deployed"]["cycle"]),
        (&json!("red"), &json!(6))
    );
    assert_eq!(chat["deployed"]["revision"]["short"], "83aa1ff");
    // One that did not get there left nobody knows what.
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()).await;
    house.append(&key, 6, rolled_back("failed")).await;
    let chat = described(&house, "/api/v1/pipelines/chat", "getPipeline").await;
    assert_eq!((&chat["latest"]["cycle"], &chat["deployed"]), (&json!(2), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_is_told_everywhere() {
    let house = with_a_cycle().await;
    let since = "2026-11-27T10:00:00Z".parse().unwrap();
    let why = "the disk of the state folder is full".to_owned();
    house.handle.set_no_room(Some(NoRoom { why, since }));
    let problem = house.ask(get("/readyz")).await.is(503).json();
    assert_eq!(
        problem["detail"],
        "the disk of the state folder is full (since 2026-11-27T10:00:00Z)"
    );
    assert!(problem["help"].as_str().unwrap().contains("by itself"));
    let alive = house.ask(get("/healthz")).await.is(200).text();
    assert_eq!(alive, "ok, but no cycle begins: the disk of the state folder is full\n");
    let status = described(&house, "/api/v1/status", "getStatus").await;
    assert_eq!(status["no_room"]["since"], "2026-11-27T10:00:00Z");
    assert!(house.ask(get("/metrics")).await.is(200).text().contains("\nandon_no_room 1\n"));
    house.handle.set_no_room(None);
    house.ask(get("/readyz")).await.is(200);
    assert!(house.ask(get("/metrics")).await.is(200).text().contains("\nandon_no_room 0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_whose_records_expired_is_gone_and_still_listed() {
    let house = with_a_cycle().await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, vec![finished()]).await;
    house
        .store
        .expire_cycles(std::slice::from_ref(&key), "2026-11-27T10:00:00Z".parse().unwrap())
        .await
        .unwrap();
    for path in ["", "/events", "/logs"] {
        let path = format!("/api/v1/pipelines/chat/cycles/{}{path}", key.cycle);
        let problem = house.ask(get(&path)).await.is(410).json();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("expired on 2026-11-27"), "{detail}");
    }
    let listed = described(&house, "/api/v1/pipelines/chat/cycles", "listCycles").await;
    assert_eq!(listed["cycles"][0]["expired_at"], "2026-11-27T10:00:00Z");
}
