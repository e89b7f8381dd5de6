//! Services beside the demo's, each with a pipeline and a past of its own: real cycles against a small server, so that
//! an overview of them has something to tell. No cycle of theirs is made up.

use std::path::Path;

use serde_json::Value;

use crate::support::{CommitFiles, Place, until};

const DEPLOY: &str = include_str!("../crash_resume/deploy.sh");
/// What waits at this gate waits until it is opened, or for a minute.
const GATE: &str = "go";

/// A service as it is planned here.
struct Plan {
    name: &'static str,
    environment: &'static str,
    /// What its file says beside what all say; `BASE` stands for its address.
    more: &'static str,
    /// After `deploy`'s steps.
    deploy: &'static str,
    cases: &'static [&'static str],
    /// Its commits: the subject, and which paths are broken. A cycle for each.
    past: &'static [(&'static str, &'static [&'static str])],
}

/// Beside the demo's green one there are a red one, one that cannot be measured, one that went back once, one that runs,
/// and one that waits for its hour. Few are red: their colours make pictures large.
const PLANS: &[Plan] = &[
    Plan {
        name: "shop",
        environment: "shop-staging",
        more: "",
        deploy: "",
        cases: &["home", "search", "basket", "voucher", "pay", "refund", "invoice", "account"],
        past: &[
            ("basket: keep it over a login", &[]),
            ("pay: ask the bank once", &[]),
            ("voucher: count in cents", &["voucher", "basket"]),
            ("voucher: round half up", &[]),
            ("home: show what was seen last", &[]),
            ("invoice: a number for each country", &[]),
            ("pay: wallet instead of cards", &["pay", "refund", "invoice"]),
        ],
    },
    Plan {
        name: "billing",
        environment: "billing-sandbox",
        more: "controls:\n  - { name: the bank's sandbox answers, http: { url: \"BASE/sandbox\" }, expect: { status: 200 } }\n",
        deploy: "",
        cases: &["charge", "refund", "statement", "dunning", "export"],
        past: &[
            ("export: one file a day", &[]),
            ("dunning: three letters, not two", &["dunning"]),
            ("dunning: say when it was paid", &[]),
            ("statement: sums by currency", &["sandbox"]),
        ],
    },
    Plan {
        name: "accounts",
        environment: "accounts-staging",
        more: "",
        deploy: "  rollback: { when: [red, not_ready] }\n",
        cases: &["sign-up", "login", "second-factor", "reset", "delete", "export"],
        past: &[
            ("login: lock after ten tries", &[]),
            ("reset: links are good for an hour", &[]),
            ("export: everything we keep", &[]),
            ("login: sessions in the new store", &["login", "second-factor", "reset", "delete"]),
            ("login: the old sessions stay good", &[]),
        ],
    },
    Plan {
        name: "search",
        environment: "search-preview",
        more: "",
        deploy: "",
        cases: &["words", "phrases", "typos", "filters", "facets", "paging", "synonyms", "empty"],
        past: &[
            ("facets: counts that add up", &[]),
            ("typos: two letters swapped", &["typos"]),
            ("typos: not in short words", &[]),
            ("paging: stay where it was", &[]),
            ("synonyms: from the editors' list", &[]),
        ],
    },
    Plan {
        name: "mail",
        environment: "mail-qa",
        more: "schedule: [{ name: nightly, cron: '30 2 * * *' }]\n",
        deploy: "",
        cases: &["welcome", "receipt", "digest", "bounce", "unsubscribe"],
        past: &[
            ("bounce: try again after an hour", &[]),
            ("digest: weekly, on Mondays", &[]),
            ("digest: in the reader's language", &["digest"]),
            ("digest: fall back to English", &[]),
            ("receipt: totals with tax", &[]),
            ("unsubscribe: with one click", &[]),
        ],
    },
];
/// The one that runs when all is set, and at which case it stands.
const RUNS: (&str, &str, &str) = ("search", "words: rank what is newer higher", "paging");

/// All of them. They end with it.
pub(crate) struct Neighbours {
    all: Vec<(&'static Plan, Place)>,
}

impl Neighbours {
    /// Puts their pipelines into a folder that no daemon serves yet.
    pub(crate) fn move_in(pipelines: &Path) -> Self {
        let all: Vec<_> = PLANS.iter().map(|plan| (plan, Place::new())).collect();
        for (plan, place) in &all {
            let file = pipelines.join(format!("{}.yaml", plan.name));
            std::fs::write(file, pipeline(plan, place)).unwrap();
        }
        Self { all }
    }

    /// Lives through what they lived through, all at once; then one of them is at it again, and stays so for a while.
    pub(crate) fn live(&mut self, andon: impl Fn(&[&str]) -> Option<Value>) {
        let state = |name: &str| -> Value {
            let told = andon(&["status", "--json"]).expect("it is told as JSON");
            let all = told["pipelines"].as_array().unwrap();
            all.iter().find(|it| it["pipeline"] == name).unwrap().clone()
        };
        let longest = PLANS.iter().map(|plan| plan.past.len()).max().unwrap();
        for round in 0..longest {
            let present = self.all.iter_mut().filter(|(plan, _)| plan.past.len() > round);
            let mut asked = Vec::new();
            for (plan, place) in present {
                let (subject, broken) = plan.past[round];
                let sha = place.commit(subject, &files(plan, broken, None));
                andon(&["trigger", plan.name]);
                asked.push((plan.name, sha));
            }
            for (name, sha) in asked {
                until("its cycle is over", || {
                    let state = state(name);
                    let latest = &state["latest"];
                    state["state"] == "idle"
                        && latest["revision"]["sha"] == sha.as_str()
                        && latest["finished_at"].is_string()
                });
            }
        }
        let (name, subject, stands_at) = RUNS;
        let (plan, place) = self.all.iter_mut().find(|(plan, _)| plan.name == name).unwrap();
        place.commit(subject, &files(plan, &[], Some(stands_at)));
        andon(&["trigger", name]);
        let before = plan.cases.iter().position(|case| *case == stands_at).unwrap();
        until("it stands at the gate", || state(name)["running"]["progress"]["done"] == before);
    }

    /// Lets the one that runs go on.
    pub(crate) fn let_go(&self) {
        for (_, place) in &self.all {
            place.stage().open(GATE);
        }
    }
}

fn pipeline(plan: &Plan, place: &Place) -> String {
    let base = format!("http://{}", place.stage().address());
    let cases: String = (1..)
        .zip(plan.cases)
        .map(|(number, case)| {
            format!(
                "    - {{ id: test_{number:03}_{}, steps: [{{ http: {{ url: \"{base}/{case}\" }}, expect: {{ status: 200 }} }}], timeout: 90s }}\n",
                case.replace('-', "_")
            )
        })
        .collect();
    format!(
        "version: 1
name: {name}
environment: {environment}
hosts: [127.0.0.1]
vars: {{ stage: \"{stage}\" }}
watch: {{ repo: \"{repo}\", branches: [main], poll: off }}
culprit: {{ search: false }}
deploy:
  steps: [{{ name: Roll out, run: [./deploy.sh], timeout: 60s }}]
{deploy}ready:
  timeout: 60s
  every: 20ms
  successes: 1
  revision:
    - {{ surface: api, http: {{ url: \"{base}/version\" }}, value: json $.revision }}
{more}suite:
  name: P1
  retries: 0
  concurrency: 1
  cases:
{cases}",
        name = plan.name,
        environment = plan.environment,
        stage = place.stage().folder().display(),
        repo = place.file("repo").display(),
        deploy = plan.deploy,
        more = plan.more.replace("BASE", &base),
    )
}

/// What a commit holds: how to deploy it, and what it answers then.
fn files(plan: &Plan, broken: &[&str], gate: Option<&str>) -> CommitFiles {
    let mut routes = serde_json::Map::new();
    for path in plan.cases.iter().copied().chain(["sandbox"]) {
        let mut answer = match broken.contains(&path) {
            true => serde_json::json!({ "status": 500, "text": "this does not work" }),
            false => serde_json::json!({ "text": "ok" }),
        };
        if gate == Some(path) {
            answer["gate"] = GATE.into();
        }
        routes.insert(format!("/{path}"), Value::Array(vec![answer]));
    }
    let answers = serde_json::json!({ "routes": routes }).to_string();
    vec![
        ("deploy.sh".to_owned(), DEPLOY.to_owned(), true),
        ("stage.yaml".to_owned(), answers, false),
    ]
}
