//! Group L: who may do what (RELIABILITY.md).

use andon::pipeline::Role;
use andon::web::{Audience, Method, Need, Route, openapi, routes};

use crate::client::{Ask, Reply, get, post, read_until, send};
use crate::house::{ADMIN, READ, TRIGGER, access, all_tokens, hook_secrets, house};

/// A request for a route; what stands in braces is something that is there, or not.
fn ask(route: &Route) -> Ask {
    let path = route
        .path
        .replace("{pipeline}", "chat")
        .replace("{cycle}", "1")
        .replace("{log}", "1")
        .replace("{trigger}", "1")
        .replace("{*case}", "test_001_health")
        .replace("{forge}", "github")
        .replace("{investigation}", "INV-0001")
        .replace("/assets/{file}", "/assets/style.css")
        .replace("{file}", "chat.svg");
    match route.method {
        Method::Get => get(&path),
        Method::Post => post(&path, "{}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_every_route_refuses_no_wrong_and_weak_tokens() {
    let house = house(&all_tokens()).await;
    let roles = [(READ, Role::Read), (TRIGGER, Role::Trigger), (ADMIN, Role::Admin)];
    let mut guarded = 0;
    for route in routes() {
        let needs = match route.need {
            Need::Nothing => {
                house.ask(ask(route)).await.is(200);
                continue;
            }
            Need::Signature => {
                house.ask(ask(route)).await.is(401);
                house.ask(ask(route).token(ADMIN)).await.is(401);
                continue;
            }
            Need::Login => {
                match route.method {
                    Method::Get => house.ask(get(route.path)).await.page(200),
                    Method::Post => house.ask(send(route.path, &[("token", "x")])).await.page(401),
                };
                continue;
            }
            Need::Role(role) => role,
        };
        guarded += 1;
        let is_refused = |reply: Reply, status| match route.audience {
            Audience::Programs => reply.is(status),
            Audience::People => reply.page(status),
        };
        let without = is_refused(house.ask(ask(route)).await, 401);
        assert!(without.header("www-authenticate").starts_with("Bearer"), "{}", route.path);
        for wrong in ["x", "read-token-0123456789abcdeF", "", "admin"] {
            let refused = is_refused(house.ask(ask(route).token(wrong)).await, 401).text();
            let help = match route.audience {
                Audience::Programs => "ANDON_TOKEN",
                Audience::People => "<h1>Log in</h1>",
            };
            assert!(refused.contains(help), "{}: {refused}", route.path);
        }
        is_refused(
            house.ask(ask(route).with("authorization", "Basic YWRtaW46YWRtaW4=")).await,
            401,
        );
        for (token, role) in roles {
            let path = route.path;
            if role < needs {
                is_refused(house.ask(ask(route).token(token)).await, 403);
            } else if route.audience == Audience::People && route.method == Method::Post {
                // Of no page of this session, or of nothing that is there.
                let status = house.ask(ask(route).token(token)).await.status;
                assert!(matches!(status, 403 | 404), "{path} {role:?}: {status}");
            } else if !path.ends_with("/events") {
                let status = house.ask(ask(route).token(token)).await.status;
                assert!(!matches!(status, 401 | 403 | 429), "{path} {role:?}: {status}");
            }
        }
    }
    assert!(guarded > 15, "{guarded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_in_the_document_and_every_path_of_it_is_served() {
    let house = house(&[]).await;
    let document = house.ask(get("/api/v1/openapi.json")).await.is(200).json();
    assert_eq!(document, openapi());
    assert_eq!(document["openapi"], "3.1.0");
    for route in routes() {
        let method = if route.method == Method::Get { "get" } else { "post" };
        let operation = &document["paths"][route.path.replace("{*", "{")][method];
        assert_eq!(operation["operationId"], route.operation, "{}", route.path);
        if let Need::Role(role) = route.need {
            assert_eq!(operation["x-role"], format!("{role:?}").to_lowercase());
        }
        // Served: whatever it answers, it is no answer for an address that is not there.
        if !route.path.ends_with("/events") {
            let reply = house.ask(ask(route)).await;
            assert!(!reply.text().contains("nothing at this address"), "{}", route.path);
            assert_ne!(reply.status, 405, "{}", route.path);
        }
    }
    house.ask(get("/api/v1/nothing")).await.is(404);
    let wrong_way = house.ask(post("/api/v1/status", "{}")).await.is(405);
    assert!(wrong_way.header("allow").contains("GET"));
}

/// RELIABILITY L2: what could be stolen of a token is its digest.
#[test]
fn l2_of_a_token_the_digest_alone_is_kept() {
    let listen = "127.0.0.1:1".parse().unwrap();
    let kept = format!("{:?}", access(listen, &all_tokens()));
    assert!(kept.contains("digest") && kept.contains("Admin"), "{kept}");
    for token in [READ, TRIGGER, ADMIN] {
        assert!(!kept.contains(token), "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l2_a_token_that_is_taken_away_ends_streams_too() {
    let house = house(&all_tokens()).await;
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let bytes = get("/api/v1/events").token(READ).bytes(house.address);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.unwrap();
    let mut seen = Vec::new();
    read_until(&mut stream, &mut seen, "\r\n\r\n").await;
    // Others change, this one stays: the stream goes on.
    house.site.set_access(access(house.address, &[(READ, Role::Read)]), hook_secrets());
    house.begin_cycle("chat").await;
    read_until(&mut stream, &mut seen, "\"kind\":\"queued\"").await;
    house.site.set_access(access(house.address, &[(ADMIN, Role::Admin)]), hook_secrets());
    read_until(&mut stream, &mut seen, "\r\n0\r\n\r\n").await;
    house.ask(get("/api/v1/status").token(READ)).await.is(401);
    house.ask(get("/api/v1/status").token(ADMIN)).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_pages_of_other_origins_and_foreign_hosts_are_refused() {
    let house = house(&[]).await;
    let own = house.address.to_string();
    let trigger = || post("/api/v1/pipelines/chat/trigger", "{}");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "https://evil.example:7070"]
    {
        house.ask(trigger().with("origin", origin)).await.is(403);
    }
    house.ask(trigger().with("sec-fetch-site", "cross-site")).await.is(403);
    house.ask(trigger().with("origin", &format!("http://{own}"))).await.is(202);
    house
        .ask(trigger().host("andon.example.com").with("origin", "https://andon.example.com"))
        .await
        .is(202);
    // DNS rebinding: the page's own name resolves to us, and it says so.
    for host in ["evil.example", "evil.example:7070", "127.0.0.1.evil.example"] {
        house.ask(get("/api/v1/status").host(host)).await.is(421);
        house.ask(trigger().host(host).with("origin", &format!("http://{host}"))).await.is(421);
    }
    house.ask(get("/api/v1/status").host("localhost:1")).await.is(200);
    let socket = get("/api/v1/events/ws")
        .with("upgrade", "websocket")
        .with("sec-websocket-version", "13")
        .with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with("origin", "http://evil.example");
    house.ask(socket).await.is(403);
    assert_eq!(house.store.waiting_triggers().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_and_l5_what_a_request_calls_itself_gives_no_rights() {
    let house = house(&all_tokens()).await;
    let claims = [
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;host=localhost"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        ("x-forwarded-user", "admin"),
        ("remote-user", "admin"),
        ("cookie", "token=admin"),
    ];
    let mut outside = get("/api/v1/status");
    let mut weak = post("/api/v1/pipelines/chat/trigger", r#"{"by":"admin"}"#).token(READ);
    for (name, value) in claims {
        outside = outside.with(name, value);
        weak = weak.with(name, value);
    }
    house.ask(outside).await.is(401);
    house.ask(weak).await.is(403);
    let path = format!("/api/v1/status?token={ADMIN}");
    house.ask(get(&path)).await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn l6_guessing_is_slowed_and_nobody_else_is() {
    let house = house(&all_tokens()).await;
    let mut statuses = Vec::new();
    for number in 0..620 {
        let ask = get("/api/v1/pipelines").token(&format!("guess-{number}"));
        statuses.push(house.ask(ask).await.status);
    }
    // A minute may end in between; then both halves are below what is too much.
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
    house.ask(get("/api/v1/status").token(READ)).await.is(200);
    let metrics = house.ask(get("/metrics").token(READ)).await.is(200).text();
    assert!(metrics.contains("andon_refused_tokens_total 620\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_that_it_is_nobody_else_s() {
    let house = house(&[]).await;
    for path in ["/", "/healthz", "/api/v1/status", "/badge/chat.svg", "/no/such/thing"] {
        let reply = house.ask(get(path)).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert!(reply.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(reply.header("cache-control").starts_with("no-"), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
}
