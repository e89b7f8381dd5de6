//! A commit breaks staging: it is seen where people look, followed, and understood, without a reload.

use crate::browser::{Browser, Script};
use crate::checks::{self, texts};
use crate::shop::{HOSTILE, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_breaking_commit_is_seen_followed_and_understood() {
    let mut shop = Shop::open();
    let browser = Browser::open(shop.url(), Script::On).await;
    browser.visit("/").await;
    browser.until_shown("[data-connection]", "live").await;
    browser.until_shown(".card.l-green", "shop").await;
    checks::watch(&browser).await;
    shop.push(500);
    browser.until_shown(".card.is-running", "suite 3 of 4").await;
    shop.stage().open("go");
    browser.until_shown(".card.l-red", "ran 4 of 4").await;
    browser.until_shown(".card.l-red .now", "idle").await;
    browser.until_shown(".card.l-red .rev", HOSTILE).await;
    checks::stood_still(&browser).await;

    browser.click(".card .age a").await;
    assert_eq!(browser.path().await, "/pipelines/shop/cycles/2");
    let changes = browser.text_of("#changes").await;
    assert!(changes.contains("regressed 2") && changes.contains("test_003_pay"), "{changes}");
    let failures = browser.text_of("#failures").await;
    assert!(failures.contains("test_002_basket") && failures.contains("INV-0001"), "{failures}");

    browser.click("#failures a[href$='/cases/test_002_basket']").await;
    assert_eq!(browser.path().await, "/pipelines/shop/cycles/2/cases/test_002_basket");
    let evidence = browser.text().await;
    for told in ["Nobody can buy", "GET", "/basket", "500", "<img src=x onerror="] {
        assert!(evidence.contains(told), "no {told} in {evidence}");
    }

    browser.visit("/pipelines/shop/cycles/2").await;
    browser.click("#failures a[href*='/investigations/']").await;
    let whys = browser.text().await;
    assert!(whys.contains("INV-0001") && whys.contains("Why did it happen"), "{whys}");

    browser.click("main a[href$='/edit']").await;
    browser.fill("#why-2-0-claim", "the basket asks the old service").await;
    browser.fill("#why-2-0-evidence", "the log of the gateway").await;
    browser.click("button[value=save]").await;
    browser.until_shown("main", "the basket asks the old service").await;
    shop.again();
    let document = shop.report_file("investigations/INV-0001");
    assert!(document.contains("- Claim: the basket asks the old service"), "{document}");
    let report = shop.report_file("cycle-0003.md");
    assert!(report.contains("the basket asks the old service"), "{report}");
    assert_eq!(browser.ask("return window.taken ?? 0").await, 0, "text of others is text");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_is_followed_from_its_first_phase_to_what_failed() {
    let mut shop = Shop::open();
    let browser = Browser::open(shop.url(), Script::On).await;
    browser.visit("/pipelines/shop").await;
    browser.until_shown("[data-connection]", "live").await;
    shop.hold();
    shop.push(500);
    browser.until_shown("#now", "cycle 2, deploy").await;
    browser.click("#now a[href$='/cycles/2']").await;
    browser.until_shown("[data-connection]", "live").await;
    browser.until_shown("#logs", "deploy: Roll out").await;
    checks::watch(&browser).await;
    shop.let_go();
    browser.until_shown("#phases", "3 of 4 cases").await;
    // Each case tells how it ended as it ends, in the order of the plan; the last one still runs.
    let rows = "return [...document.querySelectorAll('#cases tbody tr:not([hidden])')].map((row) => `${row.dataset.case} ${row.cells[2].innerText}`)";
    let turned = format!(
        "{rows}.join() === 'test_001_home passed,test_002_basket failed,test_003_pay failed,test_004_search running'"
    );
    browser.until("the rows turn", &turned).await;
    browser.until_shown("#phases", "2 failing").await;
    assert!(browser.text_of("#cases tbody tr:nth-child(2)").await.contains("expected status 200"));
    // So does a reader's filter, and what it hides comes back.
    choose(&browser, "failing").await;
    assert_eq!(texts(&browser.ask(rows).await).len(), 2);
    assert_eq!(browser.ask("return location.search").await, "?show=failing");
    choose(&browser, "").await;
    // What a reader holds is left with them.
    let hold = "document.querySelector('#cases a[href$=test_001_home]').focus(); return true";
    browser.ask(hold).await;
    let held = browser.ask("return document.activeElement.href").await;
    shop.stage().open("go");
    browser.until_shown("#head", "red").await;
    browser.until_shown("#failures", "INV-0001").await;
    browser.until_shown("#changes", "regressed 2").await;
    browser.until_shown(".pager", "Report").await;
    assert_eq!(browser.ask("return document.activeElement.href").await, held);
    // Over, they stand as they stood; whoever wants the worst first asks for it.
    let ended =
        "test_001_home passed,test_002_basket failed,test_003_pay failed,test_004_search passed";
    assert_eq!(texts(&browser.ask(rows).await).join(","), ended);
    browser.until_shown("#cases", "Show the worst first").await;
    checks::stood_still(&browser).await;
    browser.click("#cases [data-reorder] a").await;
    let worst =
        "test_002_basket failed,test_003_pay failed,test_001_home passed,test_004_search passed";
    let first = format!("{rows}.join() === '{worst}'");
    browser.until("the worst come first", &first).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}

/// Chooses what rows are shown.
async fn choose(browser: &Browser, kind: &str) {
    let script = format!(
        "const it = document.querySelector('#cases select[name=show]'); it.value = '{kind}'; it.dispatchEvent(new Event('input', {{ bubbles: true }})); return true"
    );
    browser.ask(&script).await;
}
