//! What forms of pages lead to, and what stays of it.

use crate::client::{Ask, get, send};
use crate::house::{TRIGGER, all_tokens, house};
use crate::pages::{field, log_in};

/// An address is handed on and loaded again: what a form did is told to the browser that sent it, and once.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_form_did_is_said_once_and_only_to_who_sent_it() {
    let house = house(&all_tokens()).await;
    let session = log_in(&house, TRIGGER).await;
    let within = |ask: Ask| ask.with("cookie", &session);
    let page = house.ask(within(get("/pipelines/shop"))).await.page(200).html();
    let (key, once) = (field(&page, "form_key"), field(&page, "once"));
    let fields = [("form_key", key), ("once", once)];
    let to = house.ask(within(send("/pipelines/shop/trigger", &fields))).await.is(303);
    let (marker, rest) = to.header("set-cookie").split_once("; Path=/pipelines/shop; ").unwrap();
    assert_eq!(rest, "HttpOnly; SameSite=Lax; Max-Age=60");
    let there = || within(get(to.header("location")));
    let told = house.ask(there().with("cookie", marker)).await.page(200);
    assert!(told.html().contains("role=\"status\">A cycle was asked for"), "{}", told.html());
    let ended = "andon_done=; Path=/pipelines/shop; HttpOnly; SameSite=Lax; Max-Age=0";
    assert_eq!(told.header("set-cookie"), ended);
    for other in ["", "andon_done=", "andon_done=saved", "andon_done=<b>evil"] {
        let told = house.ask(there().with("cookie", other)).await.page(200);
        assert!(!told.html().contains("class=\"said\""), "{other}: {}", told.html());
        assert_eq!(told.header("set-cookie"), "");
    }
    let hostile = within(get("/pipelines/shop?done=evil")).with("cookie", "andon_done=evil");
    assert!(!house.ask(hostile).await.page(200).html().contains("evil"));
}
