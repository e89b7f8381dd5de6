//! Addresses that are none, that are asked in another way, or that nobody would write: a browser is told with a page
//! that leads on, a program in JSON. And where a login leads.

use crate::client::{Ask, get, post, send};
use crate::house::{READ, all_tokens, house};

/// As a browser asks when a person follows a link.
fn browse(path: &str) -> Ask {
    get(path).with("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_form_leads_a_browser_to_the_page_of_the_form() {
    let house = house(&all_tokens()).await;
    for (path, way) in [
        ("/pipelines/shop/trigger", "/pipelines/shop"),
        ("/pipelines/shop/triggers/9/cancel", "/pipelines/shop"),
        ("/pipelines/chat/cycles/1/cancel", "/pipelines/chat/cycles/1"),
        (
            "/pipelines/chat/investigations/INV-0001/merge",
            "/pipelines/chat/investigations/INV-0001",
        ),
        ("/logout", "/"),
    ] {
        let told = house.ask(browse(path)).await.page(405);
        assert_eq!(told.header("allow"), "POST", "{path}");
        let html = told.html();
        assert!(html.contains("takes what a form sends"), "{html}");
        assert!(html.contains(&format!("<a href=\"{way}\">")), "{html}");
        let told = house.ask(get(path)).await.is(405);
        assert_eq!(told.header("allow"), "POST", "{path}");
    }
    // A form that is sent to a page that takes none.
    let told = house.ask(send("/pipelines/shop", &[]).with("accept", "text/html")).await.page(405);
    assert!(told.header("allow").contains("GET"));
    assert!(told.html().contains("<a href=\"/pipelines/shop\">"), "{}", told.html());
    house.ask(post("/pipelines/shop", "{}")).await.is(405);
    // What stands in the address is no word of ours, and leads nowhere else.
    let path = "/pipelines/%3Cb%3Ecall%20evil.example/trigger";
    let html = house.ask(browse(path)).await.page(405).html();
    assert!(html.contains("<a href=\"/pipelines/%3Cb%3Ecall%20evil.example\">The page"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_is_told_to_a_browser_as_a_page() {
    let house = house(&all_tokens()).await;
    let html = house.ask(browse("/assets/nowhere")).await.page(404).html();
    assert!(html.contains("there is no such file") && html.contains("All pipelines"), "{html}");
    house.ask(get("/assets/nowhere")).await.is(404);
    // What has a role stays as it was: the API is told of in JSON, whoever asks.
    house.ask(browse("/api/v1/status")).await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_too_long_is_refused_in_words() {
    let house = house(&all_tokens()).await;
    let path = |bytes: usize| format!("/login?{}", "x".repeat(bytes - "/login?".len()));
    house.ask(browse(&path(16_384))).await.page(200);
    let html = house.ask(browse(&path(16_385))).await.page(414).html();
    assert!(html.contains("the address has 16385 bytes, of 16384 at most"), "{html}");
    house.ask(get(&path(60_000))).await.is(414);
    // Beyond what a connection buffers nobody of us is asked.
    let blank = house.ask(get(&path(70_000))).await;
    assert!(matches!(blank.status, 414 | 431), "{}", blank.status);
    assert!(blank.body.is_empty());
}

/// A login leads to the page that was asked for, to the page of a form, or to the first one: to nothing that is no page,
/// and to no other site.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_leads_to_a_page_of_ours() {
    let house = house(&all_tokens()).await;
    for (next, to) in [
        ("/pipelines/chat?cycles=3", "/pipelines/chat?cycles=3"),
        ("/pipelines/chat/cases/a/b%20c", "/pipelines/chat/cases/a/b%20c"),
        ("/audit", "/audit"),
        ("/?wall", "/?wall"),
        ("/logout", "/"),
        ("/login", "/"),
        ("/pipelines/chat/trigger", "/pipelines/chat"),
        ("/pipelines/chat/cycles/3/cancel?x=1", "/pipelines/chat/cycles/3"),
        ("/pipelines/chat/grid.json", "/pipelines/chat"),
        ("/assets/style.css", "/"),
        ("/api/v1/status", "/"),
        ("/nowhere", "/"),
        ("//evil.example", "/"),
        ("//evil.example/pipelines/chat", "/"),
        ("/\\evil.example", "/"),
        ("/%2fevil.example", "/"),
        ("/%2Fevil.example/..", "/"),
        ("/%5cevil.example", "/"),
        ("/.//evil.example", "/"),
        ("/pipelines/..//evil.example", "/"),
        ("/pipelines/%2e%2E/cycles/1", "/"),
        ("/\t/evil.example", "/"),
        ("/pipelines/chat\r\nset-cookie: a=b", "/"),
        ("/pipelines/chät", "/"),
        ("https://evil.example/pipelines/chat", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ] {
        let sent = house.ask(send("/login", &[("token", READ), ("next", next)])).await.is(303);
        assert_eq!(sent.header("location"), to, "{next:?}");
        assert!(!sent.headers.iter().any(|(name, value)| name == "set-cookie" && value == "a=b"));
    }
}
