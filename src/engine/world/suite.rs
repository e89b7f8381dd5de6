//! Suite: plan, run, and look at the surfaces and controls again while it runs and after it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::commands::{self, Commands};
use super::{World, phase_ended};
use crate::domain::event::{
    ControlKind, ControlsRead, Event, Moment, NotRun, NotRunReason, PlannedCase, PlannedEvents,
    Quarantined, StoppedBy, SuiteEnded, SuitePlanned, SurfaceReading, SurfacesRead,
};
use crate::domain::names::CaseId;
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::spec::{Case, Step, Suite, SuiteCommand};
use crate::domain::state::CycleState;
use crate::domain::template::Template;
use crate::engine::{EngineError, Journal, Progress};
use crate::suite::{Selection, SuiteEnd, SuiteNews, SuitePlan, run_suite};
use crate::verdict::{glob_matches, in_quarantine, selects};

/// Attempts that are made durable together, at most.
const BATCH: usize = 200;
/// News that may wait between the cases and the ledger.
const CHANNEL: usize = 1024;
/// How often a surface that says nothing is asked after the suite.
const SURFACE_TRIES: u32 = 3;
/// How often the surfaces are looked at while the suite runs: a revision that came and went between
/// two looks is not seen, and a look costs one request for each surface. There is one more at the end.
pub(super) const WATCH_EVERY: Duration = Duration::from_secs(5);

impl World {
    pub(super) async fn run_suite(
        &self,
        journal: &mut Journal,
        deadline_at: Timestamp,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let Some(suite) = self.suite.clone() else {
            return self.end_without_suite(journal).await;
        };
        if journal.state().plan.is_none() {
            self.begin_suite(journal, &suite, deadline_at).await?;
        }
        if journal.state().suite_ended.is_none() {
            let ended = self.run_cases(journal, &suite, deadline_at, cancel).await?;
            journal.append(vec![Event::SuiteEnded(ended)]).await?;
        }
        self.end_suite(journal).await
    }

    /// The pipeline has no suite, or none any more: then what was planned and has no result did not run.
    async fn end_without_suite(&self, journal: &mut Journal) -> Result<(), EngineError> {
        self.end_forgotten_runs(journal).await?;
        let state = journal.state();
        if state.plan.is_none() || state.suite_ended.is_some() {
            let outcome =
                if state.plan.is_some() { PhaseOutcome::Passed } else { PhaseOutcome::Skipped };
            let ended = phase_ended(journal, Phase::Suite, outcome, None);
            return journal.append(vec![ended]).await;
        }
        let (by, reason) = match state.cancelled {
            Some(_) => (StoppedBy::Cancelled, NotRunReason::Cancelled),
            None => (StoppedBy::Interrupted, NotRunReason::Interrupted),
        };
        let planned = state.planned().iter().map(|planned| &planned.id);
        let not_run = planned
            .filter(|id| state.attempts_of(id).is_empty())
            .map(|id| NotRun { case: id.clone(), reason: reason.clone() })
            .collect();
        let detail = Some(format!("ended early: {by}"));
        let ended = phase_ended(journal, Phase::Suite, PhaseOutcome::Passed, detail);
        let suite = SuiteEnded {
            stopped_by: Some(by),
            not_run,
            setup_failures: Vec::new(),
            teardown_failures: Vec::new(),
            retries_withheld: None,
            // Nobody saw how long it ran before it was left.
            duration_ms: 0,
        };
        journal.append(vec![Event::SuiteEnded(suite), ended]).await
    }

    /// The plan and the controls before the first case.
    async fn begin_suite(
        &self,
        journal: &mut Journal,
        suite: &Suite,
        deadline_at: Timestamp,
    ) -> Result<(), EngineError> {
        let mut events = self.controls_read(journal, Moment::Before).await?;
        let planned = planned_suite(journal, suite, deadline_at);
        events.push(Event::SuitePlanned(Box::new(planned)));
        journal.append(events).await
    }

    /// A cycle that ended before its suite still says what should have run: a report of it reads
    /// "ran 0 of 25", never "0 of 0".
    pub(super) async fn account_for_unreached_suite(
        &self,
        journal: &mut Journal,
    ) -> Result<(), EngineError> {
        let Some(suite) = self.suite.as_deref().filter(|_| journal.state().plan.is_none()) else {
            return Ok(());
        };
        let mut planned = planned_suite(journal, suite, journal.now());
        if !suite.commands.is_empty() {
            planned.cases.extend(self.reported_before(journal, suite).await?);
        }
        let reason = why_not_reached(journal.state());
        let not_run = |case: &PlannedCase| NotRun { case: case.id.clone(), reason: reason.clone() };
        let ended = SuiteEnded {
            stopped_by: None,
            not_run: planned.cases.iter().map(not_run).collect(),
            setup_failures: Vec::new(),
            teardown_failures: Vec::new(),
            retries_withheld: None,
            duration_ms: 0,
        };
        let planned = Event::SuitePlanned(Box::new(planned));
        journal.append(vec![planned, Event::SuiteEnded(ended)]).await
    }

    async fn run_cases(
        &self,
        journal: &mut Journal,
        suite: &Arc<Suite>,
        deadline_at: Timestamp,
        cancel: &CancellationToken,
    ) -> Result<SuiteEnded, EngineError> {
        let (news, mut receiver) = mpsc::channel(CHANNEL);
        let planned = journal.state().planned().iter();
        let native = planned.filter(|planned| planned.command.is_none());
        let native: HashSet<CaseId> = native.map(|planned| planned.id.clone()).collect();
        let plan = SuitePlan {
            suite: Arc::clone(suite),
            env: self.env_of(journal)?,
            selection: Selection::Only(native),
            finished: journal.state().attempts.values().flatten().cloned().collect(),
            deadline_at,
        };
        // A cycle that is given up runs nothing more, but keeps what is final.
        let stop = cancel.child_token();
        if journal.state().cancelled.is_some() {
            stop.cancel();
        }
        let native_stop = stop.clone();
        let running = tokio::spawn(async move { run_suite(plan, &news, &native_stop).await });
        let recorded = self.record_news(journal, &mut receiver).await;
        // When the ledger refuses, the receiver is gone and the runner stops by itself.
        drop(receiver);
        let ended = running.await.map_err(|fault| EngineError::Internal {
            what: format!("the suite's task ended: {fault}"),
        })?;
        recorded?;
        let commands = Commands { suite, deadline_at, cancel: &stop };
        let began = std::time::Instant::now();
        let withheld = self.run_commands(journal, &commands).await?;
        self.end_forgotten_runs(journal).await?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ended = SuiteEnd {
            stopped_by: ended.stopped_by.or_else(|| commands.cut_short_by(journal)),
            retries_withheld: ended.retries_withheld.or(withheld),
            duration_ms: ended.duration_ms.saturating_add(took),
            ..ended
        };
        Ok(suite_ended(ended, journal, &commands))
    }

    /// Takes attempts into the ledger, in small batches, until the suite is over; looks at the
    /// surfaces now and then.
    async fn record_news(
        &self,
        journal: &mut Journal,
        receiver: &mut mpsc::Receiver<SuiteNews>,
    ) -> Result<(), EngineError> {
        let mut watch = tokio::time::interval(WATCH_EVERY);
        // Surfaces that are slow to answer are not asked all the time.
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        watch.tick().await;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = receiver.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return Ok(());
                    }
                    let events = batch.drain(..).filter_map(|news| event_of(journal, news)).collect();
                    journal.append(events).await?;
                }
                _ = watch.tick() => self.watch_surfaces(journal).await?,
            }
        }
    }

    /// Looks at the surfaces while the suite runs; what they serve is recorded when it changes.
    pub(super) async fn watch_surfaces(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let surfaces = self.read_surfaces(journal).await?;
        let read = SurfacesRead { moment: Moment::During, surfaces };
        if !differs(journal, &read.surfaces) {
            return Ok(());
        }
        journal.append(vec![Event::SurfacesRead(read)]).await
    }

    /// Surfaces and controls once more, then the end of the phase.
    async fn end_suite(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let mut events = Vec::new();
        if !self.pipeline().ready.surfaces.is_empty() {
            let surfaces = self.read_surfaces_patiently(journal).await?;
            events.push(Event::SurfacesRead(SurfacesRead { moment: Moment::After, surfaces }));
        }
        events.extend(self.controls_read(journal, Moment::After).await?);
        let stopped = journal.state().suite_ended.as_ref().and_then(|ended| ended.stopped_by);
        let (outcome, detail) = match stopped {
            None => (PhaseOutcome::Passed, None),
            Some(by) => (PhaseOutcome::Passed, Some(format!("ended early: {by}"))),
        };
        events.push(phase_ended(journal, Phase::Suite, outcome, detail));
        journal.note(events)
    }

    /// A surface that says nothing is asked again: one lost answer must not make a cycle void.
    async fn read_surfaces_patiently(
        &self,
        journal: &Journal,
    ) -> Result<Vec<SurfaceReading>, EngineError> {
        let mut surfaces = self.read_surfaces(journal).await?;
        for _ in 1..SURFACE_TRIES {
            if surfaces.iter().all(|surface| surface.served.is_some()) {
                break;
            }
            tokio::time::sleep(self.pipeline().ready.every).await;
            surfaces = self.read_surfaces(journal).await?;
        }
        Ok(surfaces)
    }

    async fn controls_read(
        &self,
        journal: &Journal,
        moment: Moment,
    ) -> Result<Vec<Event>, EngineError> {
        if self.pipeline().controls.is_empty() {
            return Ok(Vec::new());
        }
        let readings = self.read_controls(journal).await?;
        Ok(vec![Event::ControlsRead(ControlsRead { of: ControlKind::Control, moment, readings })])
    }
}

fn planned_suite(journal: &Journal, suite: &Suite, deadline_at: Timestamp) -> SuitePlanned {
    let today = jiff::tz::TimeZone::UTC.to_datetime(journal.now()).date();
    let only = journal.state().queued.options.only.as_deref();
    SuitePlanned {
        name: suite.name.clone(),
        digest: suite.digest.clone(),
        cases: planned_cases(suite, only, today),
        expected_cases: suite.expected_cases,
        flaky: suite.flaky,
        suspicious: suite.suspicious,
        deadline_at,
    }
}

fn why_not_reached(state: &CycleState) -> NotRunReason {
    let before_diff = state.phases.iter().rev().find(|record| record.phase < Phase::Diff);
    match before_diff.map_or(Phase::Queued, |record| record.phase) {
        // Only a cancel ends this phase before its plan.
        Phase::Suite => NotRunReason::Cancelled,
        phase => NotRunReason::NotReached { phase },
    }
}

fn event_of(journal: &Journal, news: SuiteNews) -> Option<Event> {
    match news {
        SuiteNews::CaseStarted { case, attempt } => {
            journal.observer().on(Progress::CaseStarted { case: &case, attempt });
            None
        }
        SuiteNews::AttemptFinished(attempt) => Some(Event::AttemptFinished(attempt)),
    }
}

/// Whether a surface says something else than before the suite.
fn differs(journal: &Journal, now: &[SurfaceReading]) -> bool {
    let before =
        journal.state().surfaces.iter().rev().find(|read| read.what.moment == Moment::Before);
    before.is_some_and(|before| {
        now.iter().any(|surface| {
            let then = before.what.surfaces.iter().find(|other| other.surface == surface.surface);
            surface.served.is_some() && then.is_some_and(|then| then.served != surface.served)
        })
    })
}

/// The end of the suite, with every planned case that has no result.
fn suite_ended(ended: SuiteEnd, journal: &Journal, commands: &Commands<'_>) -> SuiteEnded {
    let of_commands = commands::not_run(journal, commands);
    let mut not_run: Vec<NotRun> = ended.not_run.into_iter().chain(of_commands).collect();
    // The suite may be another one than was planned, when it was changed while nobody ran it: what
    // it no longer knows did not run either.
    let told: HashSet<&CaseId> = not_run.iter().map(|entry| &entry.case).collect();
    let state = journal.state();
    let forgotten = state.planned().iter().map(|planned| &planned.id);
    let forgotten = forgotten
        .filter(|id| state.attempts_of(id).is_empty() && !told.contains(id))
        .map(|id| NotRun { case: id.clone(), reason: NotRunReason::Interrupted });
    let forgotten: Vec<NotRun> = forgotten.collect();
    not_run.extend(forgotten);
    SuiteEnded {
        stopped_by: ended.stopped_by,
        not_run,
        setup_failures: ended.setup_failures,
        teardown_failures: ended.teardown_failures,
        retries_withheld: ended.retries_withheld,
        duration_ms: ended.duration_ms,
    }
}

/// The ids of everything that a suite can plan.
pub fn case_ids(suite: &Suite) -> Vec<CaseId> {
    let native = suite.cases().map(|case| case.id.clone());
    let whole = suite.commands.iter().map(|command| CaseId::of_command(&command.name));
    native.chain(whole).collect()
}

/// Whether a glob can select anything of a suite. What the commands report is not known before they ran.
pub fn may_select(suite: &Suite, only: &str) -> bool {
    !suite.commands.is_empty() || suite.cases().any(|case| selects(only, case.id.as_str()))
}

/// The cases that this cycle should run: those whose id matches, and those that they need.
fn planned_cases(suite: &Suite, only: Option<&str>, today: jiff::civil::Date) -> Vec<PlannedCase> {
    let selected = only.map(|glob| with_needs(suite, glob));
    let is_selected = |id: &CaseId| selected.as_ref().is_none_or(|ids| ids.contains(id));
    let native = suite.cases().filter(|case| is_selected(&case.id));
    native.map(|case| planned(suite, case, today)).collect()
}

fn with_needs(suite: &Suite, only: &str) -> HashSet<CaseId> {
    let by_id: std::collections::HashMap<&CaseId, &Case> =
        suite.cases().map(|case| (&case.id, case)).collect();
    let mut open: Vec<&Case> =
        suite.cases().filter(|case| selects(only, case.id.as_str())).collect();
    let mut selected = HashSet::new();
    while let Some(case) = open.pop() {
        if selected.insert(case.id.clone()) {
            open.extend(case.needs.iter().filter_map(|id| by_id.get(id).copied()));
        }
    }
    selected
}

fn planned(suite: &Suite, case: &Case, today: jiff::civil::Date) -> PlannedCase {
    PlannedCase {
        id: case.id.clone(),
        was: case.was.clone(),
        name: case.name.clone(),
        area: case.area.clone(),
        priority: case.priority,
        owner: case.owner.clone(),
        impact: case.impact.clone(),
        digest: case.digest.as_str().into(),
        quarantine: quarantined(suite, &case.id, today),
        events: case.steps.iter().filter_map(planned_events).collect(),
        command: None,
    }
}

fn planned_events(step: &Step) -> Option<PlannedEvents> {
    let events = step.expect.events.as_ref()?;
    let written = |names: &[Template]| names.iter().map(|name| name.source().to_owned()).collect();
    Some(PlannedEvents {
        step: step.name.clone(),
        all: written(&events.all),
        none: written(&events.none),
    })
}

/// A test that a command lists or reports.
pub(super) fn planned_reported(
    suite: &Suite,
    command: &SuiteCommand,
    id: CaseId,
    name: String,
    digest: Arc<str>,
    today: jiff::civil::Date,
) -> PlannedCase {
    PlannedCase {
        quarantine: quarantined(suite, &id, today),
        id,
        was: vec![],
        name,
        area: command.area.clone().or_else(|| Some(command.name.clone())),
        priority: command.priority,
        owner: command.owner.clone(),
        impact: command.impact.clone(),
        digest,
        events: vec![],
        command: Some(command.name.as_str().into()),
    }
}

/// A command as a whole.
pub(super) fn planned_whole(
    suite: &Suite,
    command: &SuiteCommand,
    today: jiff::civil::Date,
) -> PlannedCase {
    let id = CaseId::of_command(&command.name);
    let name = format!("the command {} as a whole", command.name);
    planned_reported(suite, command, id, name, command.digest.as_str().into(), today)
}

fn quarantined(suite: &Suite, id: &CaseId, today: jiff::civil::Date) -> Option<Quarantined> {
    let entry = suite.quarantine.iter().find(|entry| glob_matches(&entry.case, id.as_str()))?;
    Some(Quarantined {
        owner: entry.owner.clone(),
        reason: entry.reason.clone(),
        until: entry.until,
        expired: in_quarantine(std::slice::from_ref(entry), id, today).is_none(),
    })
}
