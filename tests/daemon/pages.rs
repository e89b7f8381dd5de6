//! The pages: what they show, to whom, and what their forms do. What their script adds is not tried here.

use andon::pipeline::Role;

use crate::client::{Ask, Reply, get, post, send};
use crate::house::{ADMIN, House, READ, TRIGGER, all_tokens, event, house, into_deploy};

async fn with_a_cycle(tokens: &[(&str, Role)]) -> House {
    let house = house(tokens).await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()).await;
    house
}

/// The value of a hidden field of a page's forms.
fn field<'a>(html: &'a str, name: &str) -> &'a str {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).expect("there is one");
    rest.split('"').next().unwrap()
}

/// The cookie that a login gave.
fn cookie(reply: &Reply) -> String {
    let set = reply.header("set-cookie");
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

async fn log_in(house: &House, token: &str) -> String {
    let to =
        house.ask(send("/login", &[("token", token), ("next", "/pipelines/chat")])).await.is(303);
    assert_eq!(to.header("location"), "/pipelines/chat");
    cookie(&to)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_what_there_is() {
    let house = with_a_cycle(&[]).await;
    let all = house.ask(get("/")).await.page(200).html();
    for name in ["chat", "shop", "twin"] {
        assert!(all.contains(&format!("<a href=\"/pipelines/{name}\">{name}</a>")), "{all}");
    }
    assert!(all.contains("/pipelines/chat/cycles/1\">cycle 1</a> · deploy"), "{all}");
    assert!(house.ask(get("/?wall")).await.page(200).html().contains("class=\"wall\""));
    let chat = house.ask(get("/pipelines/chat")).await.page(200).html();
    assert!(chat.contains("chat-staging") && chat.contains("nightly"), "{chat}");
    let cycle = house.ask(get("/pipelines/chat/cycles/1")).await.page(200).html();
    assert!(
        cycle.contains("title=\"4f1c2aad5b1e0a3c9d8e7f60718293a4b5c6d7e8\">4f1c2aa<"),
        "{cycle}"
    );
    assert!(cycle.contains("by Ada Brandt"), "{cycle}");
    assert!(
        cycle.contains("data-events=\"/api/v1/events?pipeline=chat&amp;cycle=1&amp;after="),
        "{cycle}"
    );
    // What is not there is a page, too.
    for path in [
        "/pipelines/nothing",
        "/pipelines/chat/cycles/9",
        "/pipelines/chat/cycles/1/report",
        "/pipelines/chat/cases/none",
        "/pipelines/chat/investigations/INV-0001",
        "/pipelines/chat/cycles/1/logs/9",
    ] {
        let text = house.ask(get(path)).await.page(404).html();
        assert!(text.contains("All pipelines"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_others_is_text() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    let hostile = "</script><img src=x onerror=alert(1)>\"'`{{ 7919*7907 }}";
    let revision = serde_json::json!({
        "sha": "4f1c2aad5b1e0a3c9d8e7f60718293a4b5c6d7e8", "subject": hostile,
        "author": hostile, "time": "2026-05-28T20:26:40Z",
    });
    let events = [
        serde_json::json!({ "kind": "phase_started", "phase": "checkout" }),
        serde_json::json!({ "kind": "revision_resolved", "revision": revision }),
    ];
    house.append(&key, 1, events.into_iter().map(event).collect()).await;
    for path in ["/", "/pipelines/chat", "/pipelines/chat/cycles/1"] {
        let html = house.ask(get(path)).await.page(200).html();
        assert!(!html.contains("<img") && !html.contains("62615533"), "{html}");
    }
    let html = house.ask(get("/pipelines/chat/cycles/1")).await.html();
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_session_is_asked_for_a_token_and_comes_back() {
    let house = with_a_cycle(&all_tokens()).await;
    let asked = house.ask(get("/pipelines/chat?cycles=3")).await.page(401).html();
    assert!(asked.contains("name=\"next\" value=\"/pipelines/chat?cycles=3\""), "{asked}");
    assert!(!asked.contains("4f1c2aa"), "nothing is told before: {asked}");
    let wrong = house.ask(send("/login", &[("token", "wrong-token"), ("next", "/")])).await;
    assert!(wrong.page(401).html().contains("not known here"));
    let elsewhere = [("token", READ), ("next", "//evil.example/x")];
    assert_eq!(house.ask(send("/login", &elsewhere)).await.is(303).header("location"), "/");
    // A page of others may not log anybody in.
    let foreign = send("/login", &[("token", READ)]).with("origin", "http://evil.example");
    house.ask(foreign).await.page(403);

    let session = log_in(&house, READ).await;
    let within = |ask: Ask| ask.with("cookie", &session);
    let page = house.ask(within(get("/pipelines/chat"))).await.page(200).html();
    assert!(page.contains("read") && !page.contains("Start a cycle"), "{page}");
    // What the page's script asks for is opened, too; what changes something is not.
    house.ask(within(get("/api/v1/status"))).await.is(200);
    house.ask(within(post("/api/v1/pipelines/chat/trigger", "{}"))).await.is(401);
    let key = field(&page, "form_key").to_owned();
    house.ask(within(send("/pipelines/chat/trigger", &[("form_key", &key)]))).await.page(403);
    house.ask(within(send("/logout", &[("form_key", "another")]))).await.page(403);
    house.ask(within(send("/logout", &[("form_key", &key)]))).await.is(303);
    house.ask(within(get("/"))).await.page(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_starts_one_cycle_and_only_a_page_of_ours_can_send_it() {
    let house = with_a_cycle(&all_tokens()).await;
    let session = log_in(&house, TRIGGER).await;
    let within = |ask: Ask| ask.with("cookie", &session);
    let page = house.ask(within(get("/pipelines/shop"))).await.page(200).html();
    let (key, once) = (field(&page, "form_key"), field(&page, "once"));
    let other = log_in(&house, TRIGGER).await;
    let of_other = house.ask(get("/pipelines/shop").with("cookie", &other)).await.html();
    let fields =
        |key| vec![("form_key", key), ("once", once), ("deploy", "yes"), ("by", "ada, to try")];
    for wrong in ["", "guessed", field(&of_other, "form_key")] {
        house.ask(within(send("/pipelines/shop/trigger", &fields(wrong)))).await.page(403);
    }
    assert!(house.waits_for("shop").await.is_empty());
    for _ in 0..2 {
        let to = house.ask(within(send("/pipelines/shop/trigger", &fields(key)))).await.is(303);
        assert_eq!(to.header("location"), "/pipelines/shop?done=started");
    }
    let waiting = house.waits_for("shop").await;
    assert_eq!(waiting, ["by ada, to try (token trig)"], "sent twice, asked once");
    let page = house.ask(within(get("/pipelines/shop?done=started"))).await.page(200).html();
    assert!(page.contains("role=\"status\">A cycle was asked for"), "{page}");
    assert!(!page.contains("Drop it"), "that takes another role: {page}");

    let admin = log_in(&house, ADMIN).await;
    let page = house.ask(get("/pipelines/shop").with("cookie", &admin)).await.html();
    let (_, rest) = page.split_once("action=\"/pipelines/shop/triggers/").unwrap();
    let path = format!("/pipelines/shop/triggers/{}", rest.split('"').next().unwrap());
    let dropped = send(&path, &[("form_key", field(&page, "form_key"))]).with("cookie", &admin);
    house.ask(dropped).await.is(303);
    assert!(house.waits_for("shop").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pages_are_dressed_with_is_kept_by_browsers_until_it_changes() {
    let house = house(&all_tokens()).await;
    let page = house.ask(get("/")).await.page(401).html();
    for (name, kind) in
        [("style.css", "text/css"), ("andon.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let (_, rest) = page.split_once(&format!("\"/assets/{name}?")).unwrap();
        let digest = rest.split('"').next().unwrap();
        let kept = house.ask(get(&format!("/assets/{name}?{digest}"))).await.is(200);
        assert!(kept.header("content-type").starts_with(kind));
        assert!(kept.header("cache-control").contains("immutable"));
        let unsure = house.ask(get(&format!("/assets/{name}?old"))).await.is(200);
        assert_eq!(unsure.header("cache-control"), "no-cache");
    }
    house.ask(get("/assets/other")).await.is(404);
}
