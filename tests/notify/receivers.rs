//! What each kind of receiver is sent.

use andon::notify::StatusState;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::bench::{Bench, KEY, SHA, commit, hook, slack};
use crate::sink::{Reply, Sink, status};

/// HMAC-SHA256 as RFC 2104 says it, without the library that the program uses.
fn hmac(key: &[u8], message: &[u8]) -> String {
    assert!(key.len() <= 64, "longer keys are hashed first");
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    hex::encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_over_the_very_bytes() {
    let sink = Sink::new();
    let url = sink.url("/hook");
    let secret = "secret: \"${secret.key}\"";
    let bench = Bench::new(&format!("  - webhook: {{ url: \"{url}\", {secret} }}\n")).await;
    bench.put(0, "chat/7/regressed/webhook", &hook("regressed"), None).await;
    bench.deliver().await;
    let asked = sink.asked("/hook").remove(0);
    let expected = format!("sha256={}", hmac(KEY.as_bytes(), &asked.body));
    assert_eq!(asked.header("x-andon-signature"), expected);
    assert_eq!(asked.header("x-andon-event"), "regressed");
    assert_eq!(asked.header("x-andon-delivery"), "chat/7/regressed/webhook");
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.json(), json!({ "pipeline": "chat", "cycle": 7 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_there_is_no_signature() {
    let sink = Sink::new();
    let bench = Bench::new(&format!("  - webhook: {{ url: \"{}\" }}\n", sink.url("/hook"))).await;
    bench.put(0, "1", &hook("fixed"), None).await;
    bench.deliver().await;
    assert_eq!(sink.asked("/hook")[0].header("x-andon-signature"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_gets_the_payload_as_it_was_made() {
    let sink = Sink::new();
    let bench = Bench::new(&format!("  - slack: {{ url: \"{}\" }}\n", sink.url("/T0/B0"))).await;
    bench.put(0, "1", &slack("hello"), None).await;
    bench.deliver().await;
    assert_eq!(sink.asked("/T0/B0")[0].json(), json!({ "text": "hello" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forge_is_spoken_to_in_its_own_way() {
    let sink = Sink::new();
    let entry = |forge: &str, api: &str| {
        let api = sink.url(api);
        format!(
            "  - commit_status: {{ forge: {forge}, repo: acme/chat, token: \"${{secret.key}}\", api: \"{api}\" }}\n"
        )
    };
    let notify =
        entry("github", "/hub") + &entry("gitlab", "/lab/api/v4") + &entry("gitea", "/tea");
    let bench = Bench::new(&notify).await;
    for place in 0..3 {
        bench.put(place, &format!("{place}"), &commit(StatusState::Error), None).await;
    }
    let lab = format!("/lab/api/v4/projects/acme%2Fchat/statuses/{SHA}");
    let already = r#"{"message":"Cannot transition status via :drop from :failed"}"#;
    sink.next(&lab, [Reply::Answer(400, "", already.to_owned())]);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(bench.counts().await, (0, 0), "a state that is so already is accepted");
    let github = sink.asked(&format!("/hub/repos/acme/chat/statuses/{SHA}")).remove(0);
    assert_eq!(github.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(github.json()["state"], "error");
    let gitlab = sink.asked(&lab).remove(0);
    assert_eq!(gitlab.header("private-token"), KEY);
    assert_eq!(
        (&gitlab.json()["state"], &gitlab.json()["name"]),
        (&json!("failed"), &json!("andon/chat"))
    );
    let gitea = sink.asked(&format!("/tea/api/v1/repos/acme/chat/statuses/{SHA}")).remove(0);
    assert_eq!(gitea.header("authorization"), format!("token {KEY}"));
    assert_eq!(gitea.json()["context"], "andon/chat");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_expired_may_be_renewed() {
    let sink = Sink::new();
    let api = sink.url("/api");
    let notify = format!(
        "  - commit_status: {{ forge: github, repo: a/b, token: \"${{secret.key}}\", api: \"{api}\" }}\n"
    );
    let bench = Bench::new(&notify).await;
    bench.put(0, "1", &commit(StatusState::Success), None).await;
    let path = format!("/api/repos/a/b/statuses/{SHA}");
    sink.next(&path, [status(401)]);
    bench.deliver().await;
    bench.advance(5);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.asked(&path).len(), 2);
}
