//! Every page there is, as it stands: sound in light and dark, on a laptop and on a phone.

use crate::browser::Script;
use crate::checks::faults;
use crate::demo::{Demo, PAGES};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_sound_in_light_and_dark_and_on_a_phone() {
    let demo = Demo::shared();
    let browser = demo.window(Script::On).await;
    let mut found = Vec::new();
    for (path, _) in PAGES {
        browser.visit(path).await;
        found.extend(faults(&browser).await.into_iter().map(|fault| format!("{path}: {fault}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    browser.close().await;
}
