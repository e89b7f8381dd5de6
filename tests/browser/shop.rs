//! A small shop that a daemon watches, and commits that break it.

use serde_json::Value;

use crate::support::{CommitFiles, Place, Running, Stage, until};

const PIPELINE: &str = r#"version: 1
name: shop
environment: staging
vars:
  stage: "${env.STAGE_DIR}"
  base_url: "http://${env.STAGE_ADDRESS}"
watch: { repo: ../repo, branches: [main], poll: 1s, settle: 0s }
deploy:
  steps: [{ name: Roll out, run: [./deploy.sh], timeout: 60s }]
ready:
  timeout: 60s
  every: 20ms
  successes: 1
  revision:
    - { surface: api, http: { url: "${base_url}/version" }, value: json $.revision }
suite:
  name: P1
  retries: 0
  concurrency: 1
  cases:
    - { id: test_001_home, area: Shop, steps: [{ http: { url: "${base_url}/home" }, expect: { status: 200 } }] }
    - { id: test_002_basket, area: Basket, impact: Nobody can buy, steps: [{ http: { url: "${base_url}/basket" }, expect: { status: 200 } }] }
    - { id: test_003_pay, area: Basket, impact: Nobody can pay, steps: [{ http: { url: "${base_url}/pay" }, expect: { status: 200 } }] }
    - { id: test_004_search, area: Shop, steps: [{ http: { url: "${base_url}/search" }, expect: { status: 200 } }] }
"#;
const DEPLOY: &str = include_str!("../crash_resume/deploy.sh");
/// What somebody may write where a person reads.
pub(crate) const HOSTILE: &str =
    "<img src=x onerror=\"window.taken = 1\"></script>'`{{ 7919*7907 }}";

/// A place, its daemon, and one green cycle.
pub(crate) struct Shop {
    daemon: Running,
    place: Place,
    url: String,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let mut place = Place::new();
        place.write("pipelines/shop.yaml", PIPELINE);
        place.commit("First version", &files(200));
        let daemon = place.start(&["daemon", "--listen", "127.0.0.1:0"]);
        until("the daemon answers", || place.file(".andon/daemon.json").exists());
        let told: Value = serde_json::from_str(&place.read(".andon/daemon.json")).unwrap();
        let url = told["url"].as_str().unwrap().to_owned();
        let shop = Self { daemon, place, url };
        until("it has looked", || shop.state()["watching"]["last_good_at"].is_string());
        shop.place.andon(&["trigger", "shop"]).expect_code(0);
        shop.until_verdict(1, "green");
        shop
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn stage(&self) -> &Stage {
        self.place.stage()
    }

    /// A commit whose basket and payment answer this status, with hostile words. Its last case waits for the gate `go`.
    pub(crate) fn push(&mut self, status: u16) {
        self.place.commit(HOSTILE, &files(status));
    }

    /// Runs the same once more: the third cycle, red as the second.
    pub(crate) fn again(&self) {
        self.place.andon(&["trigger", "shop"]).expect_code(0);
        self.until_verdict(3, "red");
    }

    /// A file beside the reports, by the beginning of its name.
    pub(crate) fn report_file(&self, begins: &str) -> String {
        let (folder, begins) = begins.rsplit_once('/').unwrap_or((".", begins));
        let folder = self.place.file("reports/shop").join(folder);
        let mut all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |path: &std::path::PathBuf| {
            path.file_name().unwrap().to_string_lossy().starts_with(begins)
        };
        std::fs::read_to_string(all.find(is_it).unwrap()).unwrap()
    }

    /// Keeps the next deploy from beginning.
    pub(crate) fn hold(&self) {
        self.place.write("stage/hold-before", "");
    }

    pub(crate) fn let_go(&self) {
        std::fs::remove_file(self.place.file("stage/hold-before")).unwrap();
    }

    pub(crate) fn until_verdict(&self, cycle: u64, verdict: &str) {
        until("the cycle is over", || {
            let state = self.state();
            let latest = &state["latest"];
            state["state"] == "idle" && latest["cycle"] == cycle && latest["verdict"] == verdict
        });
    }

    fn state(&self) -> Value {
        let status = self.place.andon(&["status", "--json"]).expect_code(0).json();
        status["pipelines"][0].clone()
    }
}

fn files(status: u16) -> CommitFiles {
    let gate = if status == 200 { "" } else { r#", "gate": "go""# };
    let answers = format!(
        r#"{{ "routes": {{
            "/home": [{{ "text": "ok" }}],
            "/basket": [{{ "status": {status}, "json": {{ "error": "{}" }} }}],
            "/pay": [{{ "status": {status}, "text": "no payment" }}],
            "/search": [{{ "text": "ok"{gate} }}] }} }}"#,
        HOSTILE.replace('"', "\\\"")
    );
    vec![
        ("deploy.sh".to_owned(), DEPLOY.to_owned(), true),
        ("stage.yaml".to_owned(), answers, false),
    ]
}
