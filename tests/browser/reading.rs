//! Reading without JavaScript, and with a keyboard alone.

use thirtyfour::Key;

use crate::browser::{Browser, Script};
use crate::checks::texts;
use crate::demo::{Demo, FRAMES, PAGES};

/// How often Tab is pressed at most.
const MANY: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_read_without_javascript() {
    let demo = Demo::shared();
    let browser = demo.window(Script::Off).await;
    for (path, says) in PAGES {
        browser.visit(path).await;
        let text = browser.text().await;
        assert!(text.contains(says), "no {says:?} on {path}: {text}");
        // What only the script can do is not offered.
        assert!(!text.contains("Copy") && !text.contains("Follow"), "{path}: {text}");
    }
    // What is looked for stands in the address, and the server heeds it.
    browser.visit("/pipelines/chat-staging/cycles/2?show=failing").await;
    let shown = "return document.querySelectorAll('#cases tbody tr:not([hidden])').length";
    assert_eq!(browser.ask(shown).await, 10);
    browser.fill("#cases input[name=find]", "test_001").await;
    browser.click("#cases form button").await;
    assert_eq!(browser.ask(shown).await, 1);
    assert_eq!(
        browser.ask("return location.search").await,
        "?find=test_001&show=failing&area=&priority="
    );
    browser.visit(FRAMES).await;
    let text = browser.text().await;
    assert!(text.contains("UTC") && text.contains("1008"), "{text}");
    // A form does what it says, too.
    browser.visit("/pipelines/chat-staging/cases/test_001_websocket_connection_real").await;
    browser.click("form[action='/logout'] button").await;
    browser.until_shown("h1", "Log in").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_in_the_readers_zone_with_utc_beside_them() {
    let demo = Demo::shared();
    let browser = demo.window(Script::On).await;
    browser.visit("/pipelines/chat-staging/cycles/2").await;
    let script = "
        const time = document.querySelector('#facts time'), at = new Date(time.dateTime);
        const minutes = (it) => `:${String(it.getUTCMinutes()).padStart(2, '0')}`;
        return time.textContent.includes(minutes(new Date(at.getTime() + 330 * 60000))) && time.title.includes(at.toISOString().slice(11, 16)) && time.title.includes('UTC')";
    assert_eq!(browser.ask(script).await, true, "{}", browser.text_of("#facts").await);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyboard_reaches_everything_and_shows_where_it_is() {
    let demo = Demo::shared();
    let browser = demo.window(Script::On).await;
    for path in ["/", "/pipelines/chat-staging", "/pipelines/chat-staging/cycles/2"] {
        browser.visit(path).await;
        browser.press(Key::Tab).await;
        assert_eq!(browser.text_of(":focus").await, "Skip to content");
        let shown = "return document.activeElement.getBoundingClientRect().left >= 0";
        assert_eq!(browser.ask(shown).await, true, "it is shown when it has the focus");
        let unreached = unreached(&browser).await;
        assert!(unreached.is_empty(), "{path}: {unreached:#?}");
        browser.visit(path).await;
        browser.press(Key::Tab).await;
        browser.press(Key::Enter).await;
        assert_eq!(browser.ask("return document.activeElement.id").await, "main");
    }
    filters(&browser).await;
    browser.close().await;
}

/// What can be used and Tab never came to, or where nobody saw that it did.
async fn unreached(browser: &Browser) -> Vec<String> {
    browser
        .ask(
            "window.andonLeft = new Set([...document.querySelectorAll('a[href], button, input, select, summary, textarea, [tabindex=\"0\"]')]
                .filter((it) => it.checkVisibility({ visibilityProperty: true }) && it.type !== 'hidden')
                // One stop for a whole grid: its arrows are tried in a test of their own.
                .filter((it) => !(it.tabIndex < 0 && it.closest('[role=grid]'))));
             return true",
        )
        .await;
    for _ in 0..MANY {
        // Two places at once: a focus without an outline counts as none.
        let script = "
            const it = document.activeElement, outline = getComputedStyle(it);
            if (outline.outlineStyle !== 'none' && parseFloat(outline.outlineWidth) > 0) window.andonLeft.delete(it);
            return window.andonLeft.size === 0 || it === document.body";
        if browser.ask(script).await == true {
            break;
        }
        browser.press(Key::Tab).await;
    }
    texts(
        &browser.ask("return [...window.andonLeft].map((it) => it.outerHTML.slice(0, 200))").await,
    )
}

/// Rows that do not fit go away as one types, and come back.
async fn filters(browser: &Browser) {
    let rows = "return document.querySelectorAll('#cases tbody tr:not([hidden])').length";
    let all = browser.ask(rows).await;
    assert_eq!(all, 25);
    browser.ask("document.querySelector('#cases [data-filter=text]').focus(); return true").await;
    browser.press("test_010").await;
    browser
        .until(
            "one row is left",
            "return document.querySelectorAll('#cases tbody tr:not([hidden])').length === 1",
        )
        .await;
    assert!(browser.text_of("#cases tbody tr:not([hidden])").await.contains("test_010"));
}
