//! Older versions of an investigation, from its history: seen first, then saved as any other edit.

use crate::client::{get, send};
use crate::editing::{HERE, fresh, led_to, typed};
use crate::house::{House, READ, TRIGGER, all_tokens, house};
use crate::pages::{field, log_in};

fn claims(text: &str) -> String {
    fresh().replacen("- Claim:", &format!("- Claim: {text}"), 1)
}

impl House {
    /// Two edits: the cache, then the proxy.
    async fn with_two_edits(self) -> Self {
        for (text, by) in [("the cache", "ada"), ("the proxy", "lin")] {
            let opened = self.open().await;
            led_to(self.ask(opened.form(&claims(text), by)).await, "saved");
        }
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_the_history_is_seen_and_then_restored() {
    let house = house(&[]).await.with_document(&fresh()).await.with_two_edits().await;
    let page = house.ask(get(HERE)).await.page(200).html();
    assert!(page.contains(&format!("{HERE}/edit?from=1\">Restore this version")), "{page}");
    assert!(page.contains(&format!("{HERE}/edit?before=1\">Restore what it found")), "{page}");
    assert!(!page.contains("edit?from=2"), "that is what stands there: {page}");
    assert!(!page.contains("edit?before=2"), "the first edit left that: {page}");
    let version = house.ask(get(&format!("{HERE}/edit?from=1"))).await.page(200).html();
    assert!(version.contains("written after the edit of <b>ada</b>"), "{version}");
    assert!(version.contains("d-added\">- Claim: the cache"), "{version}");
    assert!(version.contains("d-removed\">- Claim: the proxy"), "{version}");
    assert_eq!(typed(&version, "text"), claims("the cache"));
    assert_eq!(house.written(), claims("the proxy"), "nothing is saved by a look");
    let fields = [
        ("form_key", field(&version, "form_key")),
        ("base", field(&version, "base")),
        ("text", &typed(&version, "text")),
        ("by", "lin"),
        ("do", "save"),
    ];
    // Somebody changes the same line meanwhile: that is no other than any edit.
    house.leave(&claims("the route"));
    house.ask(send(&format!("{HERE}/edit"), &fields)).await.page(409);
    house.leave(&claims("the proxy"));
    led_to(house.ask(send(&format!("{HERE}/edit"), &fields)).await, "saved");
    assert_eq!(house.written(), claims("the cache"));
    let first = house.ask(get(&format!("{HERE}/edit?before=1"))).await.page(200).html();
    assert_eq!(typed(&first, "text"), fresh());
    assert!(first.contains("written before the edit of <b>ada</b>"), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cycle_wrote_since_stays_when_a_version_is_restored() {
    let house = house(&[]).await.with_document(&fresh()).await.with_two_edits().await;
    let seen =
        |text: &str| text.replace("got 500.", "got 502.").replace("state=new", "state=analysed");
    // As a cycle writes it, with the digests of its lines.
    let now =
        andon::investigation::render(&andon::investigation::parse(&seen(&claims("the proxy"))));
    house.leave(&now);
    let version = house.ask(get(&format!("{HERE}/edit?from=1"))).await.page(200).html();
    let text = typed(&version, "text");
    assert!(text.contains("state=analysed") && text.contains("- Claim: the cache"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_for_those_who_may_edit_and_are_there_or_are_not() {
    let house = house(&all_tokens()).await.with_document(&fresh()).await;
    let (read, trigger) = (log_in(&house, READ).await, log_in(&house, TRIGGER).await);
    let opened = house.open_within(&trigger).await;
    led_to(house.ask(opened.form(&claims("the cache"), "ada")).await, "saved");
    let as_reader = house.ask(get(HERE).with("cookie", &read)).await.page(200).html();
    assert!(!as_reader.contains("Restore"), "{as_reader}");
    let path = |query: &str| get(&format!("{HERE}/edit?{query}"));
    house.ask(path("before=1").with("cookie", &read)).await.page(403);
    house.ask(path("before=1").with("cookie", &trigger)).await.page(200);
    for (query, status) in
        [("from=2", 404), ("from=0", 404), ("from=4294967295", 404), ("from=x", 400)]
    {
        house.ask(path(query).with("cookie", &trigger)).await.page(status);
    }
}
