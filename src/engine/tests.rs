//! The loop with a scripted world and the real store: every path, and a crash after each append.

#![allow(clippy::unwrap_used)]

mod noted;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use super::*;
use crate::cycle::testing;
use crate::domain::event::{Recorded, ResumeAs, Resumed};
use crate::domain::outcome::{Phase, PhaseOutcome, Verdict};
use crate::domain::spec::{NewsKind, Notify, NotifyChannel, Rollback, SlackNotify};
use crate::domain::template::Template;
use crate::store::sqlite::{Mode, SqliteStore};
use crate::store::{Append, Projection, Which};

/// A clock that ticks a second at each look.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        testing::at(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// A world that does what the story says, and counts what it did outside.
#[derive(Default)]
struct Scripted {
    deploys_started: Mutex<Vec<u32>>,
    /// The deploy's end is never seen by the process that started it.
    loses_deploy: bool,
    /// Dies after so many appends, counted over all performances.
    dies_after: Mutex<Option<usize>>,
    serves_wanted: bool,
    /// The deploy fails; the way back does not.
    fails_deploy: bool,
    /// Results are noted. (Without it each of them is a transaction, after which a process may die.)
    notes: bool,
}

impl Scripted {
    async fn append(&self, journal: &mut Journal, events: Vec<Event>) -> Result<(), EngineError> {
        for event in events {
            if let Some(left) = self.dies_after.lock().unwrap().as_mut() {
                if *left == 0 {
                    return Err(EngineError::Internal { what: "killed".to_owned() });
                }
                *left -= 1;
            }
            match event {
                Event::StepStarted(_) => journal.append(vec![event]).await?,
                event if self.notes => journal.note(vec![event])?,
                event => journal.append(vec![event]).await?,
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Effects for Scripted {
    async fn perform(
        &self,
        action: Action,
        journal: &mut Journal,
        _cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let of_story = |range: std::ops::Range<usize>| testing::story()[range].to_vec();
        match action {
            Action::Checkout => self.append(journal, of_story(2..4)).await,
            Action::DeployStep { attempt, recorded, .. } => {
                if !recorded {
                    self.append(journal, vec![testing::step_started(attempt)]).await?;
                    let stored = journal.store().load_events(journal.key(), 0).await?;
                    let is_last = matches!(stored.last().unwrap().event, Event::StepStarted(_));
                    assert!(is_last, "the intent is written before the deploy begins");
                    self.deploys_started.lock().unwrap().push(attempt);
                }
                let goes_forth = journal.state().running() == Some(Phase::Deploy);
                let outcome = match (recorded, self.loses_deploy) {
                    (true, true) => PhaseOutcome::Interrupted,
                    _ if self.fails_deploy && goes_forth => PhaseOutcome::Failed,
                    (true, false) | (false, _) => PhaseOutcome::Passed,
                };
                self.append(journal, vec![testing::step_ended(attempt, outcome)]).await
            }
            Action::AskSurfaces => {
                let read =
                    testing::surfaces(crate::domain::event::Moment::Before, self.serves_wanted);
                self.append(journal, vec![read]).await
            }
            Action::AwaitReady { .. } => {
                let phase = journal.state().running().unwrap();
                let served = testing::surfaces(crate::domain::event::Moment::Before, true);
                let ready = testing::ended(phase, PhaseOutcome::Passed);
                self.append(journal, vec![served, ready]).await
            }
            Action::PlanRollback => self.append(journal, vec![testing::rollback_planned()]).await,
            Action::RunSuite { .. } => {
                let done = |e: &Event| match e {
                    Event::SuitePlanned(_) => journal.state().plan.is_some(),
                    Event::AttemptFinished(_) => {
                        journal.state().attempts.values().any(|a| !a.is_empty())
                    }
                    Event::SuiteEnded(_) => journal.state().suite_ended.is_some(),
                    _ => false,
                };
                let events = of_story(12..17).into_iter().filter(|e| !done(e)).collect();
                self.append(journal, events).await
            }
            Action::Analyse => {
                let cancelled = journal.state().cancelled.is_some();
                let failed = journal.state().phase_record(Phase::Suite).is_none();
                let verdict = match (cancelled, failed) {
                    (true, _) => Verdict::Cancelled,
                    (false, true) => Verdict::DeployFailed,
                    (false, false) => Verdict::Green,
                };
                self.append(journal, vec![testing::findings(verdict)]).await
            }
            Action::WriteReport => self.append(journal, of_story(21..22)).await,
            Action::Notify => self.append(journal, of_story(23..24)).await,
        }
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    engine: Engine,
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("andon.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, Mode::ReadWrite).await.unwrap());
    let clock = Arc::new(Ticking(AtomicI64::new(0)));
    let engine = Engine::new(Arc::clone(&store), clock, Arc::new(Silent));
    Bench { _folder: folder, store, engine }
}

fn queued() -> Queued {
    match testing::queued() {
        Event::Queued(queued) => *queued,
        _ => unreachable!("the story begins with queued"),
    }
}

/// With a way back from a failed deploy, and without a second try of its step.
fn pipeline() -> Pipeline {
    let mut pipeline = testing::pipeline();
    let deploy = pipeline.deploy.as_mut().unwrap();
    deploy.steps[0].retries = 0;
    deploy.rollback = Some(Rollback { when: vec![Verdict::DeployFailed], steps: vec![] });
    pipeline
}

impl Bench {
    async fn run(&self, world: &Scripted) -> Result<Ended, EngineError> {
        self.engine.run(queued(), &pipeline(), world, &CancellationToken::new()).await
    }

    async fn take_up(&self, world: &Scripted) -> Result<Ended, EngineError> {
        let open = self.store.open_cycles(None).await.unwrap();
        assert_eq!(open.len(), 1, "one cycle is open");
        let cancel = CancellationToken::new();
        self.engine.take_up(&open[0], &pipeline(), world, &cancel).await
    }

    async fn events(&self) -> Vec<Recorded> {
        let name = queued().pipeline;
        let row = self.store.find_cycle(&name, Which::Latest).await.unwrap().unwrap();
        self.store.load_events(&row.key(), 0).await.unwrap()
    }
}

#[tokio::test]
async fn a_cycle_runs_from_beginning_to_end() {
    let bench = bench().await;
    let ended = bench.run(&Scripted::default()).await.unwrap();
    assert!(matches!(ended, Ended::Finished(_)));
    assert_eq!(ended.state().finished.as_ref().unwrap().what.verdict, Verdict::Green);
    let kinds: Vec<&str> = bench.events().await.iter().map(|r| r.event.kind()).collect();
    let story: Vec<&str> = testing::story().iter().map(Event::kind).collect();
    assert_eq!(kinds, story);
    assert!(bench.store.open_cycles(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_stored_is_what_was_in_memory() {
    let bench = bench().await;
    let ended = bench.run(&Scripted::default()).await.unwrap();
    assert_eq!(cycle::fold(bench.events().await).unwrap(), *ended.state());
}

#[tokio::test]
async fn a_crash_after_any_append_is_only_a_pause() {
    for dies_after in 0.. {
        let bench = bench().await;
        let dying = Scripted { dies_after: Mutex::new(Some(dies_after)), ..Scripted::default() };
        if bench.run(&dying).await.is_ok() {
            assert!(dies_after > 8, "the world appends at least so often");
            break;
        }
        let next = Scripted::default();
        let ended = bench.take_up(&next).await.unwrap();
        assert_eq!(ended.state().finished.as_ref().unwrap().what.verdict, Verdict::Green);
        let starts = dying.deploys_started.lock().unwrap().len()
            + next.deploys_started.lock().unwrap().len();
        assert!(starts <= 1, "after {dies_after} appends: {starts} deploys were started");
    }
}

#[tokio::test]
async fn a_crash_on_the_way_back_is_only_a_pause() {
    let whole = bench().await;
    let world = Scripted { fails_deploy: true, ..Scripted::default() };
    whole.run(&world).await.unwrap();
    let appends = whole.events().await.len();
    let expected: Vec<&str> = whole.events().await.iter().map(|r| r.event.kind()).collect();
    assert!(expected.contains(&"rollback_planned"));
    for dies_after in 0..appends {
        let bench = bench().await;
        let dies = Mutex::new(Some(dies_after));
        let dying = Scripted { dies_after: dies, fails_deploy: true, ..Scripted::default() };
        if bench.run(&dying).await.is_ok() {
            assert!(dies_after > 8, "the world appends at least so often");
            return;
        }
        let next = Scripted { fails_deploy: true, ..Scripted::default() };
        let ended = bench.take_up(&next).await.unwrap();
        assert_eq!(ended.state().finished.as_ref().unwrap().what.verdict, Verdict::DeployFailed);
        let back = ended.state().phase_record(Phase::Rollback).unwrap();
        assert_eq!(back.outcome, Some(PhaseOutcome::Passed));
        let starts = dying.deploys_started.lock().unwrap().len()
            + next.deploys_started.lock().unwrap().len();
        // One forth and one back; a start that was recorded and not made is made by the next.
        assert!(starts <= 2, "after {dies_after} appends: {starts} starts");
    }
    panic!("no run came to its end");
}

#[tokio::test]
async fn a_lost_deploy_is_held_until_a_person_says_what_became_of_it() {
    let bench = bench().await;
    let dying = Scripted { dies_after: Mutex::new(Some(3)), ..Scripted::default() };
    bench.run(&dying).await.unwrap_err();
    assert_eq!(dying.deploys_started.lock().unwrap().len(), 1);

    let blind = Scripted { loses_deploy: true, ..Scripted::default() };
    let held = bench.take_up(&blind).await.unwrap();
    assert!(matches!(held, Ended::Held(_)));
    assert!(matches!(bench.take_up(&blind).await.unwrap(), Ended::Held(_)), "it stays held");

    let row = bench.store.open_cycles(None).await.unwrap().remove(0);
    assert!(row.held);
    let resumed = Event::Resumed(Resumed { decision: ResumeAs::Deployed, by: "ada".to_owned() });
    let append = Append {
        cycle: row.key(),
        expected_seq: held.state().seq,
        lease: None,
        events: vec![resumed],
        at: testing::at(900),
        projection: Projection::default(),
    };
    bench.store.append(append).await.unwrap();
    let ended = bench.take_up(&blind).await.unwrap();
    assert_eq!(ended.state().finished.as_ref().unwrap().what.verdict, Verdict::Green);
    assert!(blind.deploys_started.lock().unwrap().is_empty(), "nothing was deployed twice");
}

#[tokio::test]
async fn that_a_cycle_is_held_is_told_with_the_very_append() {
    let bench = bench().await;
    let dying = Scripted { dies_after: Mutex::new(Some(3)), ..Scripted::default() };
    bench.run(&dying).await.unwrap_err();
    let url = Template::literal("https://example.com/hook");
    let channel = NotifyChannel::Slack(SlackNotify { url });
    let notify = vec![Notify { channel, on: vec![NewsKind::Held] }];
    let pipeline = Pipeline { notify, ..testing::pipeline() };
    let blind = Scripted { loses_deploy: true, ..Scripted::default() };
    let open = bench.store.open_cycles(None).await.unwrap();
    let cancel = CancellationToken::new();
    for _ in 0..2 {
        bench.engine.take_up(&open[0], &pipeline, &blind, &cancel).await.unwrap();
        let messages = bench.store.next_messages().await.unwrap();
        assert_eq!(messages.len(), 1);
        assert!(messages[0].key.starts_with("chat/1/held-1/slack "), "{}", messages[0].key);
    }
}

#[tokio::test]
async fn a_lost_deploy_whose_revision_serves_goes_on() {
    let bench = bench().await;
    let dying = Scripted { dies_after: Mutex::new(Some(3)), ..Scripted::default() };
    bench.run(&dying).await.unwrap_err();
    let seeing = Scripted { loses_deploy: true, serves_wanted: true, ..Scripted::default() };
    let ended = bench.take_up(&seeing).await.unwrap();
    assert_eq!(ended.state().finished.as_ref().unwrap().what.verdict, Verdict::Green);
}

#[tokio::test]
async fn a_cancelled_cycle_ends_with_a_verdict_and_a_report() {
    let bench = bench().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let world = Scripted::default();
    let ended = bench.engine.run(queued(), &testing::pipeline(), &world, &cancel).await.unwrap();
    assert_eq!(ended.state().finished.as_ref().unwrap().what.verdict, Verdict::Cancelled);
    assert!(world.deploys_started.lock().unwrap().is_empty());
    assert!(ended.state().phase_record(Phase::Report).is_some());
}

/// A world that never does anything.
struct Idle;

#[async_trait]
impl Effects for Idle {
    async fn perform(
        &self,
        _: Action,
        _: &mut Journal,
        _: &CancellationToken,
    ) -> Result<(), EngineError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_step_without_a_trace_stops_the_loop() {
    let bench = bench().await;
    let cancel = CancellationToken::new();
    let fault = bench.engine.run(queued(), &testing::pipeline(), &Idle, &cancel).await.unwrap_err();
    assert!(matches!(fault, EngineError::NoProgress { .. }));
}
