//! The demo, played once and served by a daemon that asks for a token: pages with everything on them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use serde_json::Value;
use tempfile::TempDir;

use crate::browser::{Browser, Script};
use crate::neighbours::Neighbours;
use crate::support::{Running, until};

const TOKEN: &str = "admin-token-of-this-test-0123";
/// Every kind of page, in the second cycle, where authentication broke: what it says, once at least.
pub(crate) const PAGES: &[(&str, &str)] = &[
    ("/", "chat-staging"),
    ("/?wall", "chat-staging"),
    ("/pipelines/chat-staging", "Cases by cycle"),
    ("/pipelines/chat-staging/cycles/2", "Failures by cause"),
    (FRAMES, "Attempt 1"),
    ("/pipelines/chat-staging/cycles/2/cases/test_007_agent_execution_endpoints_real", "404"),
    ("/pipelines/chat-staging/cycles/2/logs/1", "deploy"),
    ("/pipelines/chat-staging/cycles/2/report", "Failures"),
    ("/pipelines/chat-staging/investigations/INV-0001", "Why did it happen"),
    ("/pipelines/chat-staging/investigations/INV-0001/edit", "Countermeasures"),
    ("/pipelines/chat-staging/investigations/INV-0001/edit?text", "The whole text"),
    ("/pipelines/chat-staging/cases/test_001_websocket_connection_real", "Durations"),
    (
        "/pipelines/chat-staging/cases/test_018_rate_limiting_real?owner=ada&reason=new+limiter&until=2099-12-31",
        "To be put into",
    ),
    ("/audit", "log in"),
    ("/nowhere", "nothing at this address"),
    ("/pipelines/nothing", "All pipelines"),
    ("/login", "Token"),
];
/// What a socket said and heard before it was closed.
pub(crate) const FRAMES: &str =
    "/pipelines/chat-staging/cycles/2/cases/test_001_websocket_connection_real";

/// Its folder and its daemon.
pub(crate) struct Demo {
    daemon: Running,
    neighbours: Option<Neighbours>,
    folder: TempDir,
    pub(crate) url: String,
}

/// The demo of this moment: as long as one test uses it, the others use the same.
static PLAYED: Mutex<Weak<Demo>> = Mutex::new(Weak::new());

impl Demo {
    pub(crate) fn shared() -> Arc<Self> {
        let mut played = PLAYED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        played.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(Self::play(|_| None));
            *played = Arc::downgrade(&fresh);
            fresh
        })
    }

    /// A demo of its own, where it is one of several services, one of which runs for a minute at most.
    pub(crate) fn among_neighbours() -> Self {
        let mut demo = Self::play(|pipelines| Some(Neighbours::move_in(pipelines)));
        let folder = &demo.folder;
        let andon = |args: &[&str]| {
            let done = start(folder, args, &folder.path().join("demo")).wait().expect_code(0);
            args.contains(&"--json").then(|| done.json())
        };
        demo.neighbours.as_mut().expect("they moved in").live(andon);
        demo
    }

    /// Nothing is kept from going on any more.
    pub(crate) fn let_go(&self) {
        self.neighbours.iter().for_each(Neighbours::let_go);
    }

    fn play(move_in: impl FnOnce(&Path) -> Option<Neighbours>) -> Self {
        let folder = tempfile::Builder::new().prefix("andon-demo-").tempdir().unwrap();
        start(&folder, &["demo", "demo"], folder.path()).wait().expect_code(0);
        let demo = folder.path().join("demo");
        // What happened stays as it is: nobody looks for commits, nobody searches.
        let file = demo.join("pipelines/chat-staging.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let still = text.replace("poll: 2s", "poll: off").replace("search: true", "search: false");
        fs::write(file, still).unwrap();
        fs::write(demo.join("token"), TOKEN).unwrap();
        fs::set_permissions(demo.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
        let settings = "tokens: [{ name: ada, role: admin, token: { file: token } }]\n";
        fs::write(demo.join("andon.yaml"), settings).unwrap();
        let neighbours = move_in(&demo.join("pipelines"));
        let daemon = start(&folder, &["daemon", "--listen", "127.0.0.1:0"], &demo);
        let told = demo.join(".andon/daemon.json");
        until("the daemon answers", || told.exists());
        let told: Value = serde_json::from_str(&fs::read_to_string(told).unwrap()).unwrap();
        Self { daemon, neighbours, folder, url: told["url"].as_str().unwrap().to_owned() }
    }

    /// A window in which somebody has logged in, as a person does.
    pub(crate) async fn window(&self, script: Script) -> Browser {
        let browser = Browser::open(&self.url, script).await;
        browser.visit("/").await;
        log_in(&browser).await;
        browser.until_shown(".cards", "chat-staging").await;
        // That the first page was none without a token is no fault.
        browser.complaints().await;
        browser
    }
}

/// Gives the page that asks for a token what it wants.
pub(crate) async fn log_in(browser: &Browser) {
    browser.fill("#token", TOKEN).await;
    browser.click("button.primary").await;
}

/// Starts `andon` with what the demo's pipeline reads.
fn start(folder: &TempDir, args: &[&str], dir: &Path) -> Running {
    let path = std::env::var("PATH").unwrap();
    let home = folder.path().display().to_string();
    let env = [
        ("PATH", path.as_str()),
        ("HOME", &home),
        ("USER", "ada"),
        ("NO_COLOR", "1"),
        ("ANDON_TOKEN", TOKEN),
        ("CHAT_STAGING_LISTEN", "127.0.0.1:9"),
        ("CHAT_STAGING_CONTROL", "127.0.0.1:9"),
        ("CHAT_STAGING_BIN", "false"),
        ("CHAT_STAGING_RUN_DIR", &home),
        ("CHAT_JWT_KEY", "a-key-of-this-test-0123456789"),
        ("CHAT_BYPASS_KEY", "another-key-of-this-test"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    Running::start(&args, dir, &env, &folder.path().join("logs"))
}
