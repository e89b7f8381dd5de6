//! Runs a suite given as YAML and looks at what came of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon::domain::attempt::Attempt;
use andon::domain::failure::{Blame, Failure, FailureClass};
use andon::domain::names::CaseId;
use andon::domain::outcome::Outcome;
use andon::domain::redact::Secret;
use andon::domain::revision::{Revision, Sha};
use andon::domain::spec::Pipeline;
use andon::pipeline::{MemoryFiles, load};
use andon::probe::WallClock;
use andon::suite::{EnvParts, Facts, RunEnv, Selection, SuiteEnd, SuiteNews, SuitePlan, run_suite};
use andon::verdict::judge_case;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The revision that the tests are about.
pub(crate) const SHA: &str = "4f1c2aa000000000000000000000000000000001";
/// The secret `key`.
pub(crate) const KEY: &str = "a-very-secret-key";

/// What came of a suite.
pub(crate) struct Ran {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) end: SuiteEnd,
    pub(crate) started: Vec<(String, u32)>,
}

impl Ran {
    /// The attempts of one case, by number.
    pub(crate) fn of(&self, case: &str) -> Vec<&Attempt> {
        let mut found: Vec<&Attempt> =
            self.attempts.iter().filter(|attempt| attempt.case.as_str() == case).collect();
        found.sort_by_key(|attempt| attempt.number);
        found
    }

    /// The last attempt of a case.
    pub(crate) fn last(&self, case: &str) -> &Attempt {
        self.of(case).last().copied().unwrap_or_else(|| panic!("{case} never ran: {:?}", self.end))
    }

    pub(crate) fn outcome(&self, case: &str) -> Outcome {
        let attempts: Vec<Attempt> = self.of(case).into_iter().cloned().collect();
        judge_case(&attempts)
    }

    /// The failure of a case that must have failed.
    pub(crate) fn failure(&self, case: &str) -> &Failure {
        let last = self.last(case);
        last.failure.as_ref().unwrap_or_else(|| panic!("{case} passed: {:#?}", last.evidence))
    }

    /// A case failed, by the service's fault, with this class and a message that holds this.
    #[track_caller]
    pub(crate) fn failed(&self, case: &str, class: FailureClass, part: &str) {
        let failure = self.failure(case);
        assert_eq!((failure.class, failure.blame), (class, Blame::Service), "{case}: {failure:?}");
        assert!(failure.message.contains(part), "{case}: {}", failure.message);
        assert!(failure.expected.is_some() && failure.actual.is_some(), "{failure:?}");
        assert!(failure.step.is_some() && failure.subject.is_some(), "{failure:?}");
    }

    /// A case could not be measured.
    #[track_caller]
    pub(crate) fn errored(&self, case: &str, class: FailureClass, part: &str) {
        let failure = self.failure(case);
        assert_eq!((failure.class, failure.blame), (class, Blame::Measurement), "{failure:?}");
        assert!(failure.message.contains(part), "{case}: {}", failure.message);
    }

    #[track_caller]
    pub(crate) fn passed(&self, case: &str) {
        let last = self.last(case);
        assert!(last.failure.is_none(), "{case} did not pass: {:#?}", last.failure);
    }

    /// Everything, as it would be stored.
    pub(crate) fn stored(&self) -> String {
        let attempts = serde_json::to_string(&self.attempts).expect("attempts can be stored");
        format!("{attempts} {:?}", self.end)
    }
}

/// Loads a pipeline that must be good.
pub(crate) fn pipeline(text: &str, files: &[(&str, &str)]) -> Pipeline {
    let text = format!("version: 1\nname: t\n{text}");
    let mut memory = MemoryFiles::new().with("/p/t.yaml", text.clone());
    for (path, bytes) in files {
        memory = memory.with(format!("/p/{path}"), *bytes);
    }
    let loaded = load(&memory, Path::new("/p/t.yaml"));
    loaded.pipeline.unwrap_or_else(|| panic!("{:#?}\n{text}", loaded.diagnostics))
}

/// What the steps of a pipeline know in these tests.
pub(crate) fn env_of(pipeline: &Pipeline) -> RunEnv {
    env_with(pipeline, KEY)
}

/// The same with another value of every secret.
pub(crate) fn env_with(pipeline: &Pipeline, key: &str) -> RunEnv {
    RunEnv::new(EnvParts {
        facts: Facts {
            pipeline: pipeline.name.to_string(),
            environment: pipeline.environment.to_string(),
            cycle: 7,
            revision: Some(Revision {
                sha: Sha::parse(SHA).expect("it is one"),
                subject: "a commit".to_owned(),
                author: "ada".to_owned(),
                branch: Some("main".to_owned()),
                time: Timestamp::UNIX_EPOCH,
            }),
        },
        vars: &pipeline.vars,
        secrets: pipeline.secrets.iter().map(|s| (s.name.clone(), Secret::new(key))).collect(),
        identities: &pipeline.identities,
        hosts: pipeline.hosts.as_deref(),
        host_env: Arc::new(|_| None),
        clock: WallClock::new(now),
    })
    .expect("every variable has a value")
}

#[allow(clippy::disallowed_methods)] // The clock of these tests.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// How to run a suite.
pub(crate) struct Running {
    pub(crate) selection: Selection,
    pub(crate) finished: Vec<Attempt>,
    pub(crate) timeout: Duration,
    pub(crate) cancel: CancellationToken,
    /// The value of every secret.
    pub(crate) key: String,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            selection: Selection::All,
            finished: Vec::new(),
            timeout: Duration::from_secs(60),
            cancel: CancellationToken::new(),
            key: KEY.to_owned(),
        }
    }
}

/// Runs the suite of a pipeline.
pub(crate) async fn run_with(pipeline: Pipeline, running: Running) -> Ran {
    let env = env_with(&pipeline, &running.key);
    let suite = pipeline.suite.expect("there is a suite");
    let timeout = SignedDuration::try_from(running.timeout).expect("it is short");
    let plan = SuitePlan {
        suite,
        env,
        selection: running.selection,
        finished: running.finished,
        deadline_at: now() + timeout,
    };
    let (sender, mut receiver) = mpsc::channel(16);
    let cancel = running.cancel;
    let suite = tokio::spawn(async move { run_suite(plan, &sender, &cancel).await });
    let (mut attempts, mut started) = (Vec::new(), Vec::new());
    while let Some(news) = receiver.recv().await {
        match news {
            SuiteNews::CaseStarted { case, attempt } => started.push((case.to_string(), attempt)),
            SuiteNews::AttemptFinished(attempt) => attempts.push(*attempt),
        }
    }
    Ran { attempts, end: suite.await.expect("the runner does not panic"), started }
}

/// Runs the cases of a suite against a server, whose address is `${base}` (`${ws}` for sockets).
pub(crate) async fn run(port: u16, cases: &str) -> Ran {
    run_with(pipeline(&with_cases(port, cases), &[]), Running::default()).await
}

/// A pipeline's text with these cases and nothing special.
pub(crate) fn with_cases(port: u16, cases: &str) -> String {
    let cases = cases.replace('\n', "\n    ");
    format!("{}suite:\n  concurrency: 8\n  retries: 0\n  cases:\n    {cases}\n", head(port))
}

/// The variables that the tests use.
pub(crate) fn head(port: u16) -> String {
    format!(
        "vars: {{ base: \"http://127.0.0.1:{port}\", ws: \"ws://127.0.0.1:{port}\" }}\nsecrets: {{ key: {{ env: KEY }} }}\n"
    )
}

/// Ids from texts.
pub(crate) fn only(ids: &[&str]) -> Selection {
    Selection::Only(ids.iter().map(|id| CaseId::parse(id).expect("an id")).collect())
}

/// How often each thing was counted.
pub(crate) type Counts = HashMap<String, u32>;
