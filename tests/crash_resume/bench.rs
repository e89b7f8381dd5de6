//! A place with a pipeline whose phases can be held, and the questions that every test asks at its end.

use std::fs;

use serde_json::Value;

use crate::support::{Done, Place, Running, kill, until};

const PIPELINE: &str = include_str!("pipeline.yaml");
const SUITE: &str = include_str!("suite.yaml");
const DEPLOY: &str = include_str!("deploy.sh");
const ANSWERS: &str = r#"{ "routes": {
    "/health": [{ "text": "ok", "gate": "open-health" }],
    "/one": [{ "text": "ok" }],
    "/two": [{ "text": "ok", "gate": "open-two" }],
    "/three": [{ "text": "ok" }] } }"#;

/// Where a run can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// In the deploy script, before it did anything.
    BeforeDeploy,
    /// In the deploy script, when the new revision serves already.
    AfterDeploy,
    /// In a readiness check.
    Ready,
    /// In the second of three cases.
    Suite,
}

pub(crate) struct Bench {
    pub(crate) place: Place,
}

impl Bench {
    /// Nothing is held.
    pub(crate) fn new() -> Self {
        Self::held(&[])
    }

    pub(crate) fn held(holds: &[Hold]) -> Self {
        let mut place = Place::new();
        place.write("pipeline.yaml", PIPELINE);
        place.write("suite.yaml", SUITE);
        let files = vec![
            ("deploy.sh".to_owned(), DEPLOY.to_owned(), true),
            ("stage.yaml".to_owned(), ANSWERS.to_owned(), false),
        ];
        place.commit("First version", &files);
        let bench = Self { place };
        for hold in [Hold::BeforeDeploy, Hold::AfterDeploy, Hold::Ready, Hold::Suite] {
            if holds.contains(&hold) {
                bench.hold(hold);
            } else {
                bench.release(hold);
            }
        }
        bench
    }

    pub(crate) fn hold(&self, hold: Hold) {
        match hold {
            Hold::BeforeDeploy => self.place.write("stage/hold-before", ""),
            Hold::AfterDeploy => self.place.write("stage/hold-after", ""),
            Hold::Ready | Hold::Suite => {}
        }
    }

    pub(crate) fn release(&self, hold: Hold) {
        let gone = |name: &str| {
            // It was never held.
            let _ = fs::remove_file(self.place.file(name));
        };
        match hold {
            Hold::BeforeDeploy => gone("stage/hold-before"),
            Hold::AfterDeploy => gone("stage/hold-after"),
            Hold::Ready => self.place.stage().open("open-health"),
            Hold::Suite => self.place.stage().open("open-two"),
        }
    }

    pub(crate) fn idempotent(self) -> Self {
        self.place
            .write("pipeline.yaml", &PIPELINE.replace("idempotent: false", "idempotent: true"));
        self
    }

    pub(crate) fn start(&self) -> Running {
        self.place.start(&["run", "pipeline.yaml", "--json"])
    }

    pub(crate) fn run(&self) -> Done {
        self.start().wait()
    }

    /// Waits until a run is where it is held.
    pub(crate) fn await_hold(&self, run: &Running, hold: Hold) {
        let stage = self.place.stage();
        match hold {
            Hold::BeforeDeploy => {
                until("the script starts", || !self.pids("supervisor.pids").is_empty())
            }
            Hold::AfterDeploy => {
                until("the script is through", || self.place.file("stage/deployed").exists());
            }
            Hold::Ready => until("the check is asked", || stage.requests("/health") > 0),
            Hold::Suite => {
                until("the second case asks", || stage.requests("/two") > 0);
                run.await_event("the first case is final", |event| {
                    event["kind"] == "attempt_finished"
                });
            }
        }
    }

    pub(crate) fn pids(&self, file: &str) -> Vec<i32> {
        let text = fs::read_to_string(self.place.stage().folder().join(file)).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Ends the supervisor and the script that run now, so that nobody sees how the deploy ended.
    pub(crate) fn kill_deploy(&self) {
        for file in ["supervisor.pids", "script.pids"] {
            kill(*self.pids(file).last().unwrap(), rustix::process::Signal::KILL);
        }
    }

    /// Ends the supervisor alone: its script goes on, and nobody will see how it ends.
    pub(crate) fn kill_supervisor(&self) {
        kill(*self.pids("supervisor.pids").last().unwrap(), rustix::process::Signal::KILL);
    }

    /// How often the deploy was started for a cycle.
    pub(crate) fn starts(&self, cycle: u32) -> usize {
        let line = format!("cycle {cycle}");
        self.place.stage().starts().iter().filter(|start| **start == line).count()
    }

    /// Every cycle: its number and its verdict, newest first.
    pub(crate) fn verdicts(&self) -> Vec<(u64, Option<String>)> {
        let cycles = self.place.andon(&["cycles", "shop", "--json"]).expect_code(0).json();
        let one = |cycle: &Value| {
            (cycle["cycle"].as_u64().unwrap(), cycle["verdict"].as_str().map(str::to_owned))
        };
        cycles.as_array().unwrap().iter().map(one).collect()
    }

    pub(crate) fn show(&self, cycle: u32) -> Value {
        let shown = self.place.andon(&["show", "shop", &cycle.to_string(), "--json"]);
        shown.expect_code(0).json()
    }

    /// What holds after any crash, once a second run went through.
    #[track_caller]
    pub(crate) fn is_sound(&self, verdicts: &[(u64, &str)]) {
        let wanted: Vec<(u64, Option<String>)> =
            verdicts.iter().map(|(cycle, verdict)| (*cycle, Some((*verdict).to_owned()))).collect();
        assert_eq!(self.verdicts(), wanted);
        self.place.andon(&["doctor"]).expect_code(0);
        for (cycle, _) in verdicts {
            let cycle = cycle.to_string();
            self.place.andon(&["report", "shop", &cycle, "--verify"]).expect_code(0);
        }
        let rebuilt = self.place.andon(&["report", "shop", "--rebuild", "--json"]).expect_code(0);
        assert_eq!(rebuilt.json()["written"], 0);
    }
}
