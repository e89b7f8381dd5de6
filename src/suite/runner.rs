//! Runs the native cases of a suite side by side, up to its end, its deadline, or a cancel.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::{CaseRef, defect, run_attempt};
use super::env::RunEnv;
use super::schedule::{Ended, Schedule, Settled};
use super::setup::{SetUp, set_up, tear_down};
use crate::domain::attempt::{Attempt, AttemptResult};
use crate::domain::event::{NotRun, NotRunReason, StoppedBy};
use crate::domain::evidence::Evidence;
use crate::domain::failure::Failure;
use crate::domain::names::CaseId;
use crate::domain::spec::Suite;

/// The most that the teardown of one group may take: it has a time of its own, as it runs even when
/// that of the suite is over.
const TEARDOWN: Duration = Duration::from_secs(30);
/// The same when somebody waits for us to end.
const HURRIED_TEARDOWN: Duration = Duration::from_secs(5);

/// Which cases to run.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All of them.
    All,
    /// These, and those that they need.
    Only(HashSet<CaseId>),
}

/// What to run, until when, and what was run before.
pub struct SuitePlan {
    /// The suite.
    pub suite: Arc<Suite>,
    /// What its steps know.
    pub env: RunEnv,
    /// Which of its cases.
    pub selection: Selection,
    /// Attempts that are final already; they are never run again.
    pub finished: Vec<Attempt>,
    /// When it must be over.
    pub deadline_at: Timestamp,
}

/// News of a running suite.
#[derive(Debug)]
pub enum SuiteNews {
    /// An attempt began.
    CaseStarted {
        /// The case.
        case: CaseId,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt is final.
    AttemptFinished(Box<Attempt>),
}

/// How a suite came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SuiteEnd {
    /// Why it ended early; `None` when it came to its end.
    pub stopped_by: Option<StoppedBy>,
    /// Selected cases that did not run, in the order of the suite.
    pub not_run: Vec<NotRun>,
    /// Why setup steps failed, one sentence each.
    pub setup_failures: Vec<String>,
    /// Why teardown steps failed, one sentence each.
    pub teardown_failures: Vec<String>,
    /// Why failing cases were not tried again, when the outage rule forbade it.
    pub retries_withheld: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// Runs the native cases of a suite. Every attempt goes to `news` when it is final; a receiver that
/// is gone is as good as a cancel, as nothing could be kept any more.
pub async fn run_suite(
    plan: SuitePlan,
    news: &mpsc::Sender<SuiteNews>,
    cancel: &CancellationToken,
) -> SuiteEnd {
    let started = Instant::now();
    let mut run = Run::new(plan, news);
    let stopped_by = run.until_end(cancel).await;
    let timeout = match stopped_by {
        Some(StoppedBy::Cancelled) => HURRIED_TEARDOWN,
        Some(StoppedBy::Timeout | StoppedBy::Interrupted) | None => TEARDOWN,
    };
    let teardown_failures = match run.began {
        true => tear_down(&run.env, &run.suite.groups, &run.set_up.captures, timeout).await,
        false => Vec::new(),
    };
    SuiteEnd {
        stopped_by,
        not_run: run.not_run(stopped_by),
        setup_failures: run.set_up.broken.iter().map(|broken| broken.sentence()).collect(),
        teardown_failures,
        retries_withheld: run.schedule.withheld().map(str::to_owned),
        duration_ms: millis(started.elapsed()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Run<'n> {
    suite: Arc<Suite>,
    env: RunEnv,
    news: &'n mpsc::Sender<SuiteNews>,
    deadline: Instant,
    /// The selected cases: group and position within it.
    cases: Vec<(usize, usize)>,
    schedule: Schedule,
    set_up: SetUp,
    /// Whether setup was begun, so that teardown is due.
    began: bool,
    tasks: JoinSet<Attempt>,
    running: HashMap<Id, (usize, u32, Instant)>,
    /// Cases that were running when the suite was stopped, and for how long, in milliseconds.
    cut_short: HashMap<usize, u64>,
}

impl<'n> Run<'n> {
    fn new(plan: SuitePlan, news: &'n mpsc::Sender<SuiteNews>) -> Self {
        let SuitePlan { suite, env, selection, finished, deadline_at } = plan;
        let left = Duration::try_from(deadline_at.duration_since(env.shared.clock.now()));
        let cases = select(&suite, &selection);
        let ids: HashMap<&CaseId, usize> = cases
            .iter()
            .enumerate()
            .map(|(index, (group, position))| (&suite.groups[*group].cases[*position].id, index))
            .collect();
        let needs: Vec<Vec<usize>> = cases
            .iter()
            .map(|(group, position)| {
                let needs = &suite.groups[*group].cases[*position].needs;
                needs.iter().filter_map(|need| ids.get(need).copied()).collect()
            })
            .collect();
        let mut schedule = Schedule::new(&needs, suite.retries);
        let mut finished: Vec<&Attempt> = finished.iter().collect();
        finished.sort_by_key(|attempt| attempt.number);
        for attempt in finished {
            if let Some(case) = ids.get(&attempt.case) {
                schedule.ended(*case, attempt.number, ended(attempt));
            }
        }
        Self {
            deadline: Instant::now() + left.unwrap_or_default(),
            cases,
            schedule,
            set_up: SetUp::default(),
            began: false,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            cut_short: HashMap::new(),
            suite,
            env,
            news,
        }
    }

    async fn until_end(&mut self, cancel: &CancellationToken) -> Option<StoppedBy> {
        if self.schedule.has_work() {
            self.began = true;
            let (env, suite) = (self.env.clone(), Arc::clone(&self.suite));
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Some(StoppedBy::Cancelled),
                () = sleep_until(self.deadline) => return Some(StoppedBy::Timeout),
                set_up = set_up(&env, &suite.groups) => self.set_up = set_up,
            }
        }
        let stopped_by = loop {
            if self.start_ready().await.is_err() {
                break Some(StoppedBy::Cancelled);
            }
            if self.tasks.is_empty() {
                match self.schedule.settle() {
                    Settled::Again => continue,
                    Settled::Done => break None,
                }
            }
            let joined = tokio::select! {
                biased;
                () = cancel.cancelled() => break Some(StoppedBy::Cancelled),
                Some(joined) = self.tasks.join_next_with_id() => joined,
                () = sleep_until(self.deadline) => break Some(StoppedBy::Timeout),
            };
            if self.take_result(joined).await.is_err() {
                break Some(StoppedBy::Cancelled);
            }
        };
        // What became final while we turned to stop still counts; the rest is ended now.
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            let _receiver_gone = self.take_result(joined).await;
        }
        let running = self.running.values();
        self.cut_short = running.map(|(case, _, since)| (*case, millis(since.elapsed()))).collect();
        self.schedule.give_up();
        self.tasks.shutdown().await;
        stopped_by
    }

    async fn start_ready(&mut self) -> Result<(), Gone> {
        while self.tasks.len() < self.suite.concurrency.max(1) as usize {
            let Some((case, number)) = self.schedule.take() else { return Ok(()) };
            let (group, position) = self.cases[case];
            let case_ref = CaseRef { suite: Arc::clone(&self.suite), group, position };
            let id = case_ref.get().id.clone();
            self.tell(SuiteNews::CaseStarted { case: id, attempt: number }).await?;
            if let Some((failure, evidence)) = self.set_up.failure_of(group, case_ref.get()) {
                self.schedule.ended(case, number, Ended::FailingForGood);
                self.tell_errored(&case_ref, number, failure, evidence).await?;
                continue;
            }
            let captures = Arc::clone(&self.set_up.captures);
            let attempt = run_attempt(self.env.clone(), case_ref, captures, number);
            let handle = self.tasks.spawn(attempt);
            self.running.insert(handle.id(), (case, number, Instant::now()));
        }
        Ok(())
    }

    async fn take_result(&mut self, joined: Result<(Id, Attempt), JoinError>) -> Result<(), Gone> {
        match joined {
            Ok((id, attempt)) => {
                if let Some((case, number, _)) = self.running.remove(&id) {
                    self.schedule.ended(case, number, ended(&attempt));
                }
                self.tell(SuiteNews::AttemptFinished(Box::new(attempt))).await
            }
            Err(error) => {
                let Some((case, number, _)) = self.running.remove(&error.id()) else {
                    return Ok(());
                };
                self.schedule.ended(case, number, Ended::FailingForGood);
                let (group, position) = self.cases[case];
                let case_ref = CaseRef { suite: Arc::clone(&self.suite), group, position };
                tracing::error!(case.id = %case_ref.get().id, %error, "a case made the runner panic");
                let failure = defect(&self.env, "the case");
                self.tell_errored(&case_ref, number, failure, Evidence::default()).await
            }
        }
    }

    async fn tell_errored(
        &self,
        case_ref: &CaseRef,
        number: u32,
        failure: Failure,
        evidence: Evidence,
    ) -> Result<(), Gone> {
        let attempt = Attempt {
            case: case_ref.get().id.clone(),
            number,
            started_at: self.env.shared.clock.now(),
            duration_ms: 0,
            failure: Some(Arc::new(failure)),
            skipped: None,
            evidence,
        };
        self.tell(SuiteNews::AttemptFinished(Box::new(attempt))).await
    }

    async fn tell(&self, news: SuiteNews) -> Result<(), Gone> {
        self.news.send(news).await.map_err(|_| Gone)
    }

    fn not_run(&self, stopped_by: Option<StoppedBy>) -> Vec<NotRun> {
        let id = |case: usize| {
            let (group, position) = self.cases[case];
            &self.suite.groups[group].cases[position]
        };
        let reason = |case: usize, blocked_by: Option<usize>| match (blocked_by, stopped_by) {
            (Some(by), _) => NotRunReason::BlockedBy { case: id(by).id.clone() },
            (None, Some(StoppedBy::Timeout)) => {
                NotRunReason::Timeout { running_ms: self.cut_short.get(&case).copied() }
            }
            (None, Some(StoppedBy::Cancelled)) => NotRunReason::Cancelled,
            (None, Some(StoppedBy::Interrupted)) => NotRunReason::Interrupted,
            // Only cases that need each other in a circle are left without a reason.
            (None, None) => {
                let case = id(case).needs.first().unwrap_or(&id(case).id).clone();
                NotRunReason::BlockedBy { case }
            }
        };
        let never_ran = self.schedule.never_ran().into_iter();
        never_ran
            .map(|(case, by)| NotRun { case: id(case).id.clone(), reason: reason(case, by) })
            .collect()
    }
}

/// The receiver of news is gone.
#[derive(Debug)]
struct Gone;

fn ended(attempt: &Attempt) -> Ended {
    match attempt.result() {
        // Native cases are never skipped; what needs a case that was, has nothing to wait for.
        AttemptResult::Passed | AttemptResult::Skipped => Ended::Passed,
        AttemptResult::Failed | AttemptResult::Errored => Ended::Failing,
    }
}

/// The positions of the selected cases, with those that they need.
fn select(suite: &Suite, selection: &Selection) -> Vec<(usize, usize)> {
    let all = suite
        .groups
        .iter()
        .enumerate()
        .flat_map(|(group, spec)| (0..spec.cases.len()).map(move |position| (group, position)));
    let Selection::Only(ids) = selection else { return all.collect() };
    let by_id: HashMap<&CaseId, &[CaseId]> =
        suite.cases().map(|case| (&case.id, case.needs.as_slice())).collect();
    let mut wanted: HashSet<&CaseId> = HashSet::new();
    let mut open: Vec<&CaseId> = ids.iter().collect();
    while let Some(id) = open.pop() {
        if wanted.insert(id) {
            open.extend(by_id.get(id).into_iter().flat_map(|needs| needs.iter()));
        }
    }
    all.filter(|(group, position)| wanted.contains(&suite.groups[*group].cases[*position].id))
        .collect()
}
