//! What has to hold of every page, and of every change that comes by itself.

use std::path::Path;

use serde_json::Value;

use crate::browser::{Browser, Scheme, Screen};

/// Where `scripts/tools/install` puts it.
const AXE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/npm/node_modules/axe-core/axe.min.js");
/// What may move of the window while a page keeps itself up to date: the bound that browsers call good.
const MOST_SHIFT: f64 = 0.1;

/// What is wrong with the page that is shown; nothing when all is well.
pub(crate) async fn faults(browser: &Browser) -> Vec<String> {
    let mut faults = complaints(browser).await;
    faults.extend(strangers(browser).await);
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.prefers(scheme).await;
        let found = axe(browser, scheme).await;
        faults.extend(found.into_iter().map(|fault| format!("in {scheme:?}: {fault}")));
    }
    browser.prefers(Scheme::Light).await;
    browser.on(Screen::Phone).await;
    let mut found = beyond_the_edge(browser).await;
    found.extend(axe(browser, Scheme::Light).await);
    faults.extend(found.into_iter().map(|fault| format!("on a phone: {fault}")));
    browser.on(Screen::Laptop).await;
    faults.extend(beyond_the_edge(browser).await);
    faults
}

/// Errors and warnings of the console, but for the status that a page came with.
async fn complaints(browser: &Browser) -> Vec<String> {
    let is_fault = |text: &String| {
        let is_loud = text.starts_with("WARNING") || text.starts_with("SEVERE");
        is_loud && !text.contains("the server responded with a status of")
    };
    browser.complaints().await.into_iter().filter(is_fault).collect()
}

/// What was fetched from elsewhere.
async fn strangers(browser: &Browser) -> Vec<String> {
    let script = "return performance.getEntriesByType('resource').map((it) => it.name).filter((it) => !it.startsWith(location.origin))";
    let found = browser.ask(script).await;
    texts(&found).into_iter().map(|url| format!("fetched from elsewhere: {url}")).collect()
}

/// What axe-core finds, by all of its rules; in the dark by those of colours, as nothing else is different there.
async fn axe(browser: &Browser, scheme: Scheme) -> Vec<String> {
    let rules = match scheme {
        Scheme::Light => "",
        Scheme::Dark => ", runOnly: ['color-contrast', 'link-in-text-block']",
    };
    let missing = |fault| panic!("axe-core: {fault}: {AXE}; run `scripts/tools/install`");
    let library = std::fs::read_to_string(Path::new(AXE)).unwrap_or_else(missing);
    let script = format!(
        "{library};
        const done = arguments[arguments.length - 1];
        const told = (it) => it.nodes.map((node) => `${{it.id}}: ${{node.html.slice(0, 160)}} | ${{node.failureSummary.replace(/\\s+/g, ' ')}}`);
        axe.run(document, {{ resultTypes: ['violations']{rules} }})
            .then((found) => done(found.violations.flatMap(told)), (fault) => done([String(fault)]));"
    );
    texts(&browser.ask_later(&script).await)
}

/// What makes the page wider than the screen, what stands out of its panel, and what should be lines and is scrolled.
async fn beyond_the_edge(browser: &Browser) -> Vec<String> {
    let script = "
        const told = (it) => `${it.tagName}.${it.className?.baseVal ?? it.className}#${it.id}`;
        const right = (it) => it.getBoundingClientRect().right;
        const isScrolled = (it) => it.closest('.scroll, .vgrid, pre, svg, table');
        const out = [...document.querySelectorAll('main > section :not(.away)')].filter((it) => !isScrolled(it) && right(it) > right(it.closest('main > section')) + 1).map((it) => `out of its panel: ${told(it)}`);
        if (innerWidth <= 640) out.push(...[...document.querySelectorAll('.stacks')].map((it) => it.closest('.scroll') ?? it).filter((it) => it.scrollWidth > it.clientWidth + 1).map((it) => `scrolled: ${told(it)}`));
        const wide = document.documentElement.scrollWidth, room = document.documentElement.clientWidth;
        if (wide > room) out.push(`${wide} px on ${room}: ` + [...document.querySelectorAll('body *')].filter((it) => right(it) > room + 1 && !isScrolled(it)).slice(0, 5).map(told).join(', '));
        return out";
    texts(&browser.ask(script).await)
}

/// From now on every move of what is shown is noted, and a reload would be seen.
pub(crate) async fn watch(browser: &Browser) {
    let script = "
        window.andonTest = { moves: [] };
        new PerformanceObserver((list) => {
            for (const move of list.getEntries()) {
                if (!move.hadRecentInput) window.andonTest.moves.push([move.value, move.sources.map((it) => it.node?.id || it.node?.parentElement?.id || it.node?.nodeName).join(' ')]);
            }
        }).observe({ type: 'layout-shift' });
        return true";
    browser.ask(script).await;
}

/// It is the same page as when it was watched first, and little has moved since.
pub(crate) async fn stood_still(browser: &Browser) {
    let moves = browser.ask("return window.andonTest?.moves ?? null").await;
    let moves = moves.as_array().expect("the page was loaded anew");
    let sum: f64 = moves.iter().map(|moved| moved[0].as_f64().unwrap()).sum();
    assert!(sum < MOST_SHIFT, "{sum} of the window moved: {moves:?}");
}

/// The texts of a list that a script returned.
pub(crate) fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}
