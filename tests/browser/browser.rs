//! One window of Chromium without a screen, and what a person does with it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::TypingData;
use thirtyfour::prelude::*;

use crate::chromedriver::{Chromedriver, chromium};

/// Nothing that a test waits for may take longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A laptop's window.
const SIZE: (u32, u32) = (1200, 800);
/// A phone's screen.
const PHONE: (u32, u32) = (390, 844);
/// A screen on a wall, with as many cards in a row as fit.
const WALL: (u32, u32) = (1380, 720);

/// Whether the pages' script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    On,
    Off,
}

/// What the reader's system prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// The screen that the pages are read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Laptop,
    Phone,
    Wall,
}

/// The window. It is closed by `close`; when a test fails before that, its processes are ended all the same.
pub(crate) struct Browser {
    driver: WebDriver,
    // In this order: the window goes, then the processes, then what they kept.
    _chromedriver: Chromedriver,
    _profile: TempDir,
    /// Where the pages are.
    origin: String,
}

impl Browser {
    /// Opens a window for the pages of a daemon.
    pub(crate) async fn open(origin: &str, script: Script) -> Self {
        // Only the first of them counts, and they are all the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let profile = tempfile::Builder::new().prefix("andon-browser-").tempdir().unwrap();
        let chromedriver = Chromedriver::start(profile.path());
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let wanted = capabilities(&profile, script);
        let driver = WebDriver::builder(chromedriver.url(), wanted).client(client).connect().await;
        let driver = driver.unwrap_or_else(|fault| panic!("no window of Chromium: {fault}"));
        driver.set_script_timeout(PATIENCE).await.unwrap();
        let browser = Self {
            driver,
            _chromedriver: chromedriver,
            _profile: profile,
            origin: origin.to_owned(),
        };
        browser.prefers(Scheme::Light).await;
        browser.on(Screen::Laptop).await;
        browser
    }

    pub(crate) async fn close(self) {
        self.driver.quit().await.unwrap();
    }

    /// Goes to a page and waits until it is there.
    pub(crate) async fn visit(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.origin)).await.unwrap();
    }

    /// The path of the page that is shown.
    pub(crate) async fn path(&self) -> String {
        self.driver.current_url().await.unwrap().path().to_owned()
    }

    /// What a script in the page returns. WebDriver's scripts are not under the page's policy.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, vec![]).await;
        answer.unwrap_or_else(|fault| panic!("{script}: {fault}")).json().clone()
    }

    /// What a script in the page gives to the function that is its last argument.
    pub(crate) async fn ask_later(&self, script: &str) -> Value {
        let answer = self.driver.execute_async(script, vec![]).await;
        answer.unwrap_or_else(|fault| panic!("{script:.200}: {fault}")).json().clone()
    }

    /// The text of the page that can be seen.
    pub(crate) async fn text(&self) -> String {
        self.text_of("body").await
    }

    /// The text that can be seen of the first such element; nothing where there is none.
    pub(crate) async fn text_of(&self, css: &str) -> String {
        let css = json!(css);
        let text =
            self.ask(&format!("return document.querySelector({css})?.innerText ?? ''")).await;
        text.as_str().unwrap().to_owned()
    }

    /// The first element of this kind that is shown; one that is not there is a failure.
    pub(crate) async fn find(&self, css: &str) -> WebElement {
        let found = self.driver.find(By::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(_) => panic!("no {css} on {}: {}", self.path().await, self.text().await),
        }
    }

    /// Clicks as a person does, who scrolls to it first.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.find(css).await;
        element.scroll_into_view().await.unwrap();
        element.click().await.unwrap_or_else(|fault| panic!("{css}: {fault}"));
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.unwrap();
    }

    /// The browser is nobody any more, as after the end of a session.
    pub(crate) async fn forget_session(&self) {
        self.driver.delete_all_cookies().await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: impl Into<TypingData>) {
        let hand = self.driver.action_chain_with_delay(Some(Duration::ZERO), Some(Duration::ZERO));
        hand.send_keys(keys).perform().await.unwrap();
    }

    /// Waits until a script in the page returns true.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        let give_up = Instant::now() + PATIENCE;
        while self.ask(script).await != json!(true) {
            if Instant::now() > give_up {
                panic!("waited in vain: {what}\n{}", self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the page shows this text; without a reload unless its script does one.
    pub(crate) async fn until_shown(&self, css: &str, text: &str) {
        let (element, wanted) = (json!(css), json!(text));
        let script = format!(
            "return [...document.querySelectorAll({element})].some((it) => it.innerText.includes({wanted}))"
        );
        self.until(&format!("{text:?} in {css}"), &script).await;
    }

    pub(crate) async fn prefers(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.tell("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    pub(crate) async fn on(&self, screen: Screen) {
        let ((width, height), mobile) = match screen {
            Screen::Laptop => (SIZE, false),
            Screen::Phone => (PHONE, true),
            Screen::Wall => (WALL, false),
        };
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the browser complained of since it was asked last.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.unwrap();
        log.into_iter().map(|entry| format!("{} {}", entry.level, entry.message)).collect()
    }

    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.driver.screenshot_as_png().await.unwrap()
    }

    /// A command to the browser that WebDriver has none for.
    async fn tell(&self, method: &str, parameters: Value) {
        let done = self.driver.cdp().send_raw(method, parameters).await;
        done.unwrap_or_else(|fault| panic!("{method}: {fault}"));
    }
}

/// A browser without a screen and without any network but loopback.
fn capabilities(profile: &TempDir, script: Script) -> Capabilities {
    let folder = profile.path().join("profile");
    let mut args = vec![
        "--headless=new".to_owned(),
        format!("--user-data-dir={}", folder.display()),
        "--lang=en-GB".to_owned(),
        "--no-first-run".to_owned(),
        "--no-proxy-server".to_owned(),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        // Containers have little shared memory.
        "--disable-dev-shm-usage".to_owned(),
    ];
    if rustix::process::getuid().is_root() {
        // Its sandbox refuses to be root's.
        args.push("--no-sandbox".to_owned());
    }
    let mut options = json!({ "binary": chromium(), "args": args });
    if script == Script::Off {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let mut wanted = Capabilities::new();
    wanted.set("browserName", "chrome").unwrap();
    wanted.set("goog:chromeOptions", options).unwrap();
    wanted.set("goog:loggingPrefs", json!({ "browser": "ALL" })).unwrap();
    wanted
}
