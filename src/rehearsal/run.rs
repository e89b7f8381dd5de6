//! One run of one case against one service.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::given::Given;
use super::service::stand_in;
use super::stage::{Stage, name_of};
use crate::domain::attempt::Attempt;
use crate::domain::spec::{Case, CaseGroup, FlakyPolicy, Step, Suite, SuspiciousPolicy};
use crate::prove::{Aim, Fault, OwnNames, Pace, hastened, hastened_step};
use crate::suite::{EnvError, Prompt, Selection, SuiteEnd, SuiteNews, SuitePlan, run_suite};

/// No run takes so long: its waits are short.
const AT_MOST: Duration = Duration::from_secs(120);

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    /// Why, in one sentence.
    Failed(String),
}

/// One run to be made.
pub(super) struct Trial<'a> {
    pub(super) given: &'a Given,
    pub(super) setup: &'a [Step],
    pub(super) case: &'a Case,
    pub(super) own: &'a OwnNames,
    pub(super) fault: Option<Fault>,
    pub(super) aim: Aim,
}

impl Trial<'_> {
    pub(super) async fn perform(&self) -> Result<Ended, EnvError> {
        let stage = Arc::new(Stage::new(self.own.clone(), self.fault, self.aim, self.setup.len()));
        // Whatever the service still does ends with the run, even if nobody waits for that.
        let _over = stage.over.clone().drop_guard();
        let prompted = Arc::clone(&stage);
        let prompt: Prompt = Arc::new(move |step, lookup| prompted.next_step(step, lookup));
        let env = self.given.env(stand_in(&stage), prompt)?;
        let timeout = SignedDuration::try_from(AT_MOST).unwrap_or(SignedDuration::MAX);
        let deadline_at =
            self.given.clock().now().saturating_add(timeout).unwrap_or(Timestamp::MAX);
        let plan = SuitePlan {
            suite: Arc::new(self.suite()),
            env,
            selection: Selection::All,
            finished: Vec::new(),
            deadline_at,
        };
        let (attempt, end) = attempt_of(plan).await;
        Ok(self.judge(&stage, attempt, &end))
    }

    fn judge(&self, stage: &Stage, attempt: Option<Attempt>, end: &SuiteEnd) -> Ended {
        if let Some(why) = stage.no_example().filter(|_| self.fault.is_none()) {
            return Ended::Failed(why);
        }
        match attempt.map(|attempt| attempt.failure) {
            Some(None) => Ended::Passed,
            Some(Some(failure)) => Ended::Failed(match &failure.step {
                Some(step) => format!("step `{step}`: {}", failure.message),
                None => failure.message.clone(),
            }),
            None => Ended::Failed(match end.setup_failures.first() {
                Some(why) => why.clone(),
                None => "it did not end in time".to_owned(),
            }),
        }
    }

    fn pace(&self) -> Pace {
        match self.fault {
            None => Pace::Ideal,
            Some(Fault::Slow) => Pace::Limits,
            Some(Fault::NoAnswer) => Pace::Silence,
            Some(_) => Pace::Hasty,
        }
    }

    /// The suite with nothing but this case in it.
    fn suite(&self) -> Suite {
        let setup = self.setup.iter().map(|step| hastened_step(step, Pace::Ideal)).collect();
        let mut case = hastened(self.case, self.pace());
        match self.aim {
            Aim::Everywhere => {}
            // Two may have one name, and the stage must know which comes; nobody reads these names.
            Aim::Step(_) => {
                for (place, step) in case.steps.iter_mut().enumerate() {
                    step.name = name_of(place);
                }
            }
        }
        let group =
            CaseGroup { file: "rehearsal".into(), setup, teardown: Vec::new(), cases: vec![case] };
        Suite {
            name: "rehearsal".to_owned(),
            timeout: AT_MOST,
            concurrency: 1,
            retries: 0,
            flaky: FlakyPolicy::Fail,
            suspicious: SuspiciousPolicy::Warn,
            expected_cases: None,
            groups: vec![group],
            commands: Vec::new(),
            quarantine: Vec::new(),
            digest: String::new(),
        }
    }
}

async fn attempt_of(plan: SuitePlan) -> (Option<Attempt>, SuiteEnd) {
    let (news, mut told) = mpsc::channel(16);
    // Never asked for: who drops us ends the run at once.
    let cancel = CancellationToken::new();
    let run = async {
        let end = run_suite(plan, &news, &cancel).await;
        drop(news);
        end
    };
    let listen = async {
        let mut last = None;
        while let Some(news) = told.recv().await {
            match news {
                SuiteNews::AttemptFinished(attempt) => last = Some(*attempt),
                SuiteNews::CaseStarted { .. } => {}
            }
        }
        last
    };
    let (end, attempt) = tokio::join!(run, listen);
    (attempt, end)
}
