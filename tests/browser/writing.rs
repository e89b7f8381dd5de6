//! People who write about a failure in their browsers: two at once, and one whose session ends meanwhile.

use crate::browser::{Browser, Script};
use crate::demo::{Demo, log_in};
use crate::shop::Shop;

const EDIT: &str = "/pipelines/shop/investigations/INV-0001/edit";
const OF_DEMO: &str = "/pipelines/chat-staging/investigations/INV-0001/edit";

#[tokio::test(flavor = "multi_thread")]
async fn two_who_edit_at_once_lose_nothing_and_decide_where_they_clash() {
    let mut shop = Shop::open();
    shop.stage().open("go");
    shop.push(500);
    shop.until_verdict(2, "red");
    let (ada, lin) =
        (Browser::open(shop.url(), Script::On).await, Browser::open(shop.url(), Script::On).await);
    for browser in [&ada, &lin] {
        browser.visit(EDIT).await;
    }
    ada.fill("#why-2-0-claim", "the basket asks the old service").await;
    ada.fill("#why-3-0-claim", "its address is in the commit").await;
    ada.fill("[name=by]", "ada").await;
    ada.click("button[value=save]").await;
    ada.until_shown("main", "its address is in the commit").await;
    // What was done is said once: the address of the page says nothing of it, and neither does the page when it comes again.
    ada.until_shown(".said", "Saved.").await;
    assert_eq!(ada.ask("return location.search").await, "");
    let offered = format!("return sessionStorage.getItem('edit of {EDIT} by fields')");
    assert_eq!(ada.ask(&offered).await, serde_json::Value::Null, "what is saved is no draft");
    ada.visit(EDIT.trim_end_matches("/edit")).await;
    assert_eq!(ada.ask("return document.querySelector('.said')").await, serde_json::Value::Null);

    lin.fill("#why-2-0-claim", "the gateway is full").await;
    lin.fill("#why-4-0-claim", "nothing checks addresses").await;
    lin.click("button[value=save]").await;
    lin.until_shown("main", "Nothing is saved yet").await;
    let clash = lin.text().await;
    for told in ["Nothing is saved yet", "ada saved", "the old service", "the gateway is full"] {
        assert!(clash.contains(told), "no {told} in {clash}");
    }
    assert!(!shop.report_file("investigations/INV-0001").contains("gateway"), "nothing is saved");
    let kept = lin.ask("return document.getElementById('decided-0').value").await;
    let kept = kept.as_str().unwrap();
    assert!(kept.contains("old service") && kept.contains("gateway is full"), "{kept}");
    let decides = "const it = document.getElementById('decided-0');
        it.value = it.value.replace('the basket asks the old service', 'both, says lin');
        return true";
    lin.ask(decides).await;
    lin.click("button.primary").await;
    lin.until_shown("main", "both, says lin").await;
    let document = shop.report_file("investigations/INV-0001");
    for told in ["both, says lin", "its address is in the commit", "nothing checks addresses"] {
        assert!(document.contains(told), "no {told} in {document}");
    }
    assert_eq!(lin.path().await, EDIT.trim_end_matches("/edit"));
    for browser in [ada, lin] {
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_outlives_the_session() {
    let demo = Demo::shared();
    let browser = demo.window(Script::On).await;
    browser.visit(OF_DEMO).await;
    browser.fill("#why-4-0-claim", "typed before the session ended").await;
    browser.forget_session().await;
    browser.click("button[value=save]").await;
    log_in(&browser).await;
    assert_eq!(browser.path().await, OF_DEMO, "the page that the form stood on");
    browser.until_shown(".said", "was not saved").await;
    browser.click(".said button").await;
    let value = browser.ask("return document.getElementById('why-4-0-claim').value").await;
    assert_eq!(value, "typed before the session ended");
    browser.close().await;
}
