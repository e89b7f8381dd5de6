//! Pictures of the pages, as `scripts/screenshots` puts them into `docs/screenshots`. Without a folder to put them into
//! they are only taken: a page that cannot be is a failure.

use std::fs;
use std::path::PathBuf;

use crate::browser::{Browser, Scheme, Screen, Script};
use crate::demo::{Demo, FRAMES};
use crate::grid::long_lived;

/// Names the folder.
const FOLDER: &str = "ANDON_SCREENSHOTS";
/// None is larger: they are in the repository.
const MOST: usize = 250 * 1024;

/// Where the demo lies on this machine is nothing for a picture.
const WITHOUT_FOLDERS: &str = "for (const it of document.querySelectorAll('dd.break')) it.textContent = it.textContent.replace(/^.*\\/demo\\//, '')";

/// The last picture with the neighbours on it; then the one that runs may go on.
const LAST_OF_ALL: &str = "wall";

const CYCLE: &str = "/pipelines/chat-staging/cycles/2";
const PICTURES: &[(&str, &str, Scheme, Screen)] = &[
    ("overview", "/", Scheme::Light, Screen::Laptop),
    ("overview-dark", "/", Scheme::Dark, Screen::Laptop),
    ("overview-phone", "/", Scheme::Light, Screen::Phone),
    ("wall", "/?wall", Scheme::Dark, Screen::Wall),
    ("pipeline", "/pipelines/chat-staging", Scheme::Light, Screen::Laptop),
    ("pipeline-dark", "/pipelines/chat-staging", Scheme::Dark, Screen::Laptop),
    ("cycle", CYCLE, Scheme::Light, Screen::Laptop),
    ("cycle-dark", CYCLE, Scheme::Dark, Screen::Laptop),
    ("cycle-phone", CYCLE, Scheme::Light, Screen::Phone),
    ("evidence", FRAMES, Scheme::Light, Screen::Laptop),
    (
        "investigation",
        "/pipelines/chat-staging/investigations/INV-0001",
        Scheme::Light,
        Screen::Laptop,
    ),
    ("report", "/pipelines/chat-staging/cycles/2/report", Scheme::Light, Screen::Laptop),
    (
        "case",
        "/pipelines/chat-staging/cases/test_001_websocket_connection_real",
        Scheme::Light,
        Screen::Laptop,
    ),
    (
        "quarantine",
        "/pipelines/chat-staging/cases/test_018_rate_limiting_real?owner=ada&reason=new+limiter&until=2099-12-31#quarantine",
        Scheme::Light,
        Screen::Laptop,
    ),
    ("edit", "/pipelines/chat-staging/investigations/INV-0001/edit", Scheme::Light, Screen::Laptop),
    ("log", "/pipelines/chat-staging/cycles/2/logs/1", Scheme::Light, Screen::Laptop),
    ("audit", "/audit", Scheme::Light, Screen::Laptop),
    ("login", "/login", Scheme::Light, Screen::Laptop),
];

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_the_pages_are_taken() {
    let demo = Demo::among_neighbours();
    let browser = demo.window(Script::On).await;
    for (name, path, scheme, screen) in PICTURES {
        browser.prefers(*scheme).await;
        browser.on(*screen).await;
        browser.visit(path).await;
        browser.ask(WITHOUT_FOLDERS).await;
        take(&browser, name).await;
        if *name == LAST_OF_ALL {
            demo.let_go();
        }
    }
    browser.close().await;
}

/// Half a year of a pipeline, as its grid shows it.
const GRIDS: &[(&str, Scheme, Screen)] = &[
    ("grid", Scheme::Light, Screen::Laptop),
    ("grid-dark", Scheme::Dark, Screen::Laptop),
    ("grid-phone", Scheme::Light, Screen::Phone),
];

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_a_large_grid_are_taken() {
    let house = long_lived().await;
    let browser = Browser::open(&format!("http://{}", house.address), Script::On).await;
    for (name, scheme, screen) in GRIDS {
        browser.prefers(*scheme).await;
        browser.on(*screen).await;
        browser.visit("/pipelines/chat").await;
        browser.until_shown("[data-grid-count]", "1000 cases").await;
        browser.ask("document.querySelector('#h-grid').scrollIntoView(); return true").await;
        let link = "#grid [aria-rowindex='4'] a[aria-label^='cycle 187']";
        browser.ask(&format!("document.querySelector(\"{link}\")?.focus(); return true")).await;
        take(&browser, name).await;
    }
    browser.close().await;
}

async fn take(browser: &Browser, name: &str) {
    let png = browser.picture().await;
    assert!(png.len() < MOST, "{name} is of {} bytes", png.len());
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }
}
