//! Group I: webhooks (RELIABILITY.md). Payloads are what each forge sends, names changed.

use andon::domain::redact::Secret;
use andon::web::hooks::{Forge, HookSecrets};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::client::{Ask, get, post};
use crate::house::{House, OLD_SECRET, SECRET, access, all_tokens, house};

const GITHUB: &str = include_str!("../data/hooks/github-push.json");
const GITHUB_PING: &str = include_str!("../data/hooks/github-ping.json");
const GITLAB: &str = include_str!("../data/hooks/gitlab-push.json");
const GITEA: &str = include_str!("../data/hooks/gitea-push.json");
const BITBUCKET: &str = include_str!("../data/hooks/bitbucket-push.json");
const BITBUCKET_SERVER: &str = include_str!("../data/hooks/bitbucket-server-push.json");
const GENERIC: &str = include_str!("../data/hooks/generic.json");

pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    let mut signed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    signed.update(body);
    hex::encode(signed.finalize().into_bytes())
}

/// A webhook as that forge signs it.
fn hook(forge: &str, secret: &str, body: &str) -> Ask {
    let ask = post(&format!("/hooks/{forge}"), body);
    let signature = sign(secret, body.as_bytes());
    match forge {
        "github" => ask
            .with("x-github-event", "push")
            .with("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
            .with("x-hub-signature-256", &format!("sha256={signature}")),
        "gitlab" => ask.with("x-gitlab-event", "Push Hook").with("x-gitlab-token", secret),
        "gitea" => ask.with("x-gitea-event", "push").with("x-gitea-signature", &signature),
        "bitbucket" => ask
            .with("x-event-key", "repo:push")
            .with("x-hub-signature", &format!("sha256={signature}")),
        _ => ask.with("x-andon-signature", &format!("sha256={signature}")),
    }
}

async fn all_forges() -> House {
    let house = house(&all_tokens()).await;
    let mut secrets = crate::house::hook_secrets();
    secrets.add(Forge::Bitbucket, Secret::new(SECRET));
    secrets.add(Forge::Bitbucket, Secret::new(OLD_SECRET));
    house.site.set_access(access(house.address, &all_tokens()), secrets);
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forge_s_push_has_its_repository_looked_at() {
    let house = all_forges().await;
    for (forge, body) in [
        ("github", GITHUB),
        ("gitlab", GITLAB),
        ("gitea", GITEA),
        ("bitbucket", BITBUCKET),
        ("bitbucket", BITBUCKET_SERVER),
        ("generic", GENERIC),
    ] {
        // I10: two secrets are live while one replaces the other.
        for secret in [SECRET, OLD_SECRET] {
            let reply = house.ask(hook(forge, secret, body)).await.is(202).json();
            assert_eq!(reply["pipelines"], serde_json::json!(["chat", "twin"]), "{forge}");
        }
        assert_eq!(house.looks().await, ["chat", "twin"], "{forge}");
        for (name, number) in house.store.wanted_looks().await.unwrap() {
            house.store.finish_look(&name, number).await.unwrap();
        }
    }
    assert!(house.store.waiting_triggers().await.unwrap().is_empty(), "a hook is only a hint");
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_what_is_not_signed_right_leaves_nothing() {
    let house = all_forges().await;
    for (forge, body) in [
        ("github", GITHUB),
        ("gitlab", GITLAB),
        ("gitea", GITEA),
        ("bitbucket", BITBUCKET),
        ("generic", GENERIC),
    ] {
        house.ask(post(&format!("/hooks/{forge}"), body)).await.is(401);
        house.ask(hook(forge, "another-secret", body)).await.is(401);
        // A token of the API is none of a forge.
        house.ask(hook(forge, crate::house::ADMIN, body).token(crate::house::ADMIN)).await.is(401);
    }
    let changed = GITHUB.replace("refs/heads/main", "refs/heads/evil");
    let stolen = format!("sha256={}", sign(SECRET, GITHUB.as_bytes()));
    house.ask(post("/hooks/github", changed).with("x-hub-signature-256", &stolen)).await.is(401);
    let sha1 = "sha1=25af6174a0fcecc4d346680a72b7ce644b9a88e8";
    house.ask(post("/hooks/github", GITHUB).with("x-hub-signature", sha1)).await.is(401);
    house
        .ask(post("/hooks/github", GITHUB).with("x-hub-signature-256", &stolen[..70]))
        .await
        .is(401);
    assert!(house.looks().await.is_empty());
    let metrics = house.ask(get("/metrics").token(crate::house::READ)).await.text();
    assert!(
        metrics.contains("andon_hooks_total{kind=\"github\",result=\"forged\"} 6\n"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_kind_without_a_secret_is_not_there() {
    let house = house(&[]).await;
    house.ask(hook("bitbucket", SECRET, BITBUCKET)).await.is(404);
    house.ask(hook("sourcehut", SECRET, GENERIC)).await.is(404);
    house.site.set_access(access(house.address, &[]), HookSecrets::default());
    house.ask(hook("github", SECRET, GITHUB)).await.is(404);
    assert!(house.looks().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_a_hook_that_is_repeated_only_looks_again() {
    let house = house(&[]).await;
    for delivery in ["1", "1", "2"] {
        let again = hook("github", SECRET, GITHUB).with("x-github-delivery", delivery);
        house.ask(again).await.is(202);
    }
    assert_eq!(house.looks().await, ["chat", "twin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_foreign_repository_is_taken_note_of_and_no_more() {
    let house = house(&[]).await;
    for address in [
        "https://evil.example/acme/chat.git",
        "file:///etc/passwd",
        "-oProxyCommand=x",
        "http://169.254.169.254/",
    ] {
        let body = format!("{{\"repository\":{{\"clone_url\":\"{address}\"}}}}");
        let reply = house.ask(hook("github", SECRET, &body)).await.is(202).json();
        let nothing =
            serde_json::json!({ "pipelines": [], "note": "no pipeline watches this repository" });
        assert_eq!(reply, nothing, "{address}");
    }
    assert!(house.looks().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_may_name_its_pipeline() {
    let house = house(&[]).await;
    let named = |name: &str, body: &str| {
        let signature = format!("sha256={}", sign(SECRET, body.as_bytes()));
        post(&format!("/hooks/generic/{name}"), body).with("x-andon-signature", &signature)
    };
    for body in ["", "{}", GENERIC] {
        let reply = house.ask(named("shop", body)).await.is(202).json();
        assert_eq!(reply["pipelines"], serde_json::json!(["shop"]));
    }
    assert_eq!(house.looks().await, ["shop"]);
    house.ask(named("no-such", "{}")).await.is(404);
    house.ask(named("..%2F..", "{}")).await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_and_looks_at_nothing() {
    let house = house(&[]).await;
    let ping = hook("github", SECRET, GITHUB_PING).without("x-github-event");
    house.ask(ping.clone().with("x-github-event", "ping")).await.is(200);
    assert!(house.looks().await.is_empty());
    let unsigned = ping.without("x-hub-signature-256").with("x-github-event", "ping");
    house.ask(unsigned).await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_and_i6_what_is_too_much_or_no_json_is_refused() {
    let house = house(&[]).await;
    let huge = "x".repeat((25 << 20) + 1);
    house.ask(hook("github", SECRET, &huge)).await.is(413);
    let long = format!("{{\"x\":\"{}\",{}", "y".repeat(20 << 20), &GITHUB[1..]);
    house.ask(hook("github", SECRET, &long)).await.is(202);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for body in
        ["{", "null,", "[1,", &deep, "{\"repository\":1,\"repository\":2}", "\u{0}", "hello"]
    {
        house.ask(hook("github", SECRET, body)).await.is(400);
    }
    let form = "payload=%7B%7D";
    let as_form = hook("github", SECRET, form).without("content-type");
    let reply =
        house.ask(as_form.with("content-type", "application/x-www-form-urlencoded")).await.is(400);
    assert!(reply.json()["help"].as_str().unwrap().contains("application/json"));
}

/// RELIABILITY I5: a body in pieces counts as a whole; one that is compressed is never unpacked. I6: nor is
/// what is no text.
#[tokio::test(flavor = "multi_thread")]
async fn i5_a_body_in_pieces_is_one_and_a_compressed_one_is_none() {
    let house = house(&[]).await;
    let (first, second) = GITHUB.split_at(GITHUB.len() / 2);
    let signature = sign(SECRET, GITHUB.as_bytes());
    let pieces =
        format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let head = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         x-github-event: push\r\nx-hub-signature-256: sha256={signature}\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let bytes = format!("{head}{pieces}");
    tokio::io::AsyncWriteExt::write_all(&mut stream, bytes.as_bytes()).await.unwrap();
    assert_eq!(crate::client::read_reply(&mut stream).await.status, 202);
    // The beginning of what gzip writes, and bytes that are no UTF-8.
    for body in [&b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"[..], b"{\"repository\":\"\xff\"}"] {
        let signature = format!("sha256={}", sign(SECRET, body));
        let ask = post("/hooks/github", body)
            .with("x-github-event", "push")
            .with("content-encoding", "gzip")
            .with("x-hub-signature-256", &signature);
        house.ask(ask).await.is(400);
    }
}

/// RELIABILITY I10: forges sent secrets in headers of their own before. What is not asked for is kept nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn i10_a_header_that_nobody_asked_for_is_kept_nowhere() {
    const LEAK: &str = "leaked-by-the-forge-0123456789";
    let house = house(&[]).await;
    let ask = hook("github", SECRET, GITHUB)
        .with("x-github-webhook-secret", LEAK)
        .with("x-github-delivery", LEAK)
        .with("user-agent", LEAK);
    house.ask(ask).await.is(202);
    assert_eq!(house.looks().await, ["chat", "twin"]);
    let status = house.ask(get("/api/v1/status")).await.text();
    assert!(!status.contains(LEAK), "{status}");
    house.store.close().await;
    for entry in std::fs::read_dir(house.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let leaks = bytes.windows(LEAK.len()).any(|bytes| bytes == LEAK.as_bytes());
        assert!(!leaks, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i8_a_hook_that_cannot_be_stored_is_not_acknowledged() {
    let house = house(&[]).await;
    house.store.close().await;
    let reply = house.ask(hook("github", SECRET, GITHUB)).await.is(503);
    assert_eq!(reply.header("retry-after"), "5");
    house.ask(get("/readyz")).await.is(503);
    house.ask(get("/healthz")).await.is(200);
}
