//! The clock's task against a real store, with a clock that the test sets.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use andon::domain::outcome::TriggerKind;
use andon::domain::spec::Pipeline;
use andon::store::sqlite::SqliteStore;
use andon::store::{Movement, Store, TriggerStore};
use andon::trigger::Scheduler;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::looks::{open_store, pipeline};
use super::support::World;

struct Desk {
    store: Arc<SqliteStore>,
    time: Arc<Mutex<Timestamp>>,
    scheduler: Scheduler,
}

impl Desk {
    async fn new(world: &World, pipeline: &Pipeline, now: &str) -> Self {
        let store = open_store(world).await;
        let time = Arc::new(Mutex::new(now.parse().unwrap()));
        let clock = Arc::clone(&time);
        let now = Arc::new(move || *clock.lock().unwrap());
        let scheduler =
            Scheduler::new(Arc::clone(&store) as Arc<dyn Store>, now, Arc::new(Notify::new()));
        scheduler.put(Arc::new(pipeline.clone()));
        Self { store, time, scheduler }
    }

    /// Looks at the clock at a time; what waits then, and how long nothing will be due.
    async fn at(&self, now: &str) -> (Vec<String>, u64) {
        *self.time.lock().unwrap() = now.parse().unwrap();
        let sleep = self.scheduler.look(&mut BTreeSet::new()).await;
        let waiting = self.store.waiting_triggers().await.unwrap();
        assert!(waiting.iter().all(|trigger| trigger.cause.kind == TriggerKind::Schedule));
        (waiting.into_iter().map(|trigger| trigger.cause.detail).collect(), sleep.as_secs())
    }
}

fn nightly(world: &World, more: &str) -> Pipeline {
    let text = format!(
        "schedule: [{{ name: nightly, cron: \"30 2 * * *\"{more} }}]\nwatch: {{ repo: source.git, branches: [main] }}"
    );
    pipeline(world, "chat", &text)
}

const DUE: &str = "nightly, due 2026-11-26 02:30 UTC";

#[tokio::test]
async fn a_schedule_runs_when_it_is_due_and_survives_restarts() {
    let world = World::new();
    let pipeline = nightly(&world, "");
    let desk = Desk::new(&world, &pipeline, "2026-11-26T02:00:00Z").await;
    assert_eq!(desk.at("2026-11-26T02:00:00Z").await, (vec![], 60));
    assert_eq!(desk.at("2026-11-26T02:29:50Z").await, (vec![], 10));
    let next = desk.scheduler.next_due();
    assert_eq!(next[&pipeline.name][0].1.to_string(), "2026-11-26T02:30:00Z");
    assert_eq!(desk.at("2026-11-26T02:30:00Z").await, (vec![DUE.into()], 60));
    assert_eq!(desk.at("2026-11-26T02:31:00Z").await.0, [DUE]);
    desk.store.close().await;

    // Down over the next night, and over the one after that: one to catch up with.
    let desk = Desk::new(&world, &pipeline, "2026-11-28T09:00:00Z").await;
    let both = [DUE, "nightly, due 2026-11-28 02:30 UTC and missed then"];
    assert_eq!(desk.at("2026-11-28T09:00:00Z").await.0, both);
    assert_eq!(desk.at("2026-11-28T09:01:00Z").await.0, both);
    desk.store.close().await;
    let desk = Desk::new(&world, &pipeline, "2026-11-28T09:02:00Z").await;
    assert_eq!(desk.at("2026-11-28T09:02:00Z").await.0, both);
}

#[tokio::test]
async fn a_clock_that_ran_far_ahead_does_not_silence_a_schedule() {
    let world = World::new();
    let pipeline = nightly(&world, "");
    let desk = Desk::new(&world, &pipeline, "2026-11-25T09:00:00Z").await;
    desk.at("2026-11-25T09:00:00Z").await;
    assert_eq!(
        desk.at("2027-01-05T09:00:00Z").await.0,
        ["nightly, due 2027-01-05 02:30 UTC and missed then"]
    );
    desk.at("2026-11-25T09:01:00Z").await;
    assert_eq!(desk.at("2026-11-26T02:30:00Z").await.0.last().unwrap(), DUE);
    assert_eq!(desk.at("2026-11-26T02:30:01Z").await.0.len(), 2);
    desk.store.close().await;
    // The store still has the cursor that is ahead.
    let desk = Desk::new(&world, &pipeline, "2026-11-26T02:30:02Z").await;
    desk.at("2026-11-26T02:30:02Z").await;
    assert_eq!(desk.at("2026-11-27T02:30:00Z").await.0.len(), 3);
    assert_eq!(desk.at("2027-01-05T02:30:00Z").await.0.len(), 3, "that time has run");
}

#[tokio::test]
async fn only_if_changed_asks_whether_a_branch_moved() {
    let world = World::new();
    let pipeline = nightly(&world, ", only_if_changed: true");
    let desk = Desk::new(&world, &pipeline, "2026-11-25T09:00:00Z").await;
    desk.at("2026-11-25T09:00:00Z").await;
    // No cycle yet: everything is new.
    assert_eq!(desk.at("2026-11-26T02:30:00Z").await.0.len(), 1);
    start_all(&desk, &pipeline, "2026-11-26T02:30:01Z").await;
    assert_eq!(desk.at("2026-11-27T02:30:00Z").await.0, [""; 0]);
    let head = world.commit("main", "First", &[("a", "1")]);
    let at: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
    let movement = Movement {
        pipeline: pipeline.name.clone(),
        environment: pipeline.environment.clone(),
        branch: "main".into(),
        from: None,
        to: Some(head),
        commits: vec![],
        run: None,
        not_before: at,
        at,
    };
    assert!(desk.store.put_movement(movement).await.unwrap());
    assert_eq!(desk.at("2026-11-28T02:30:00Z").await.0.len(), 1);
    start_all(&desk, &pipeline, "2026-11-28T02:30:01Z").await;
    assert_eq!(desk.at("2026-11-29T02:30:00Z").await.0, [""; 0]);
}

#[tokio::test]
async fn repeated_cycles_have_one_revision_and_are_stored_once() {
    let world = World::new();
    let pipeline = nightly(&world, ", repeat: 3");
    let desk = Desk::new(&world, &pipeline, "2026-11-25T09:00:00Z").await;
    desk.at("2026-11-25T09:00:00Z").await;
    let all = [1, 2, 3].map(|n| format!("{DUE} ({n} of 3)"));
    assert_eq!(desk.at("2026-11-26T02:30:00Z").await.0, all);
    assert_eq!(desk.at("2026-11-26T02:30:30Z").await.0, all);

    // A crash between the first trigger and the cursor.
    let tomorrow: Timestamp = "2026-11-27T02:30:00Z".parse().unwrap();
    let waiting = desk.store.waiting_triggers().await.unwrap();
    let early = andon::store::NewTrigger {
        pipeline: pipeline.name.clone(),
        environment: pipeline.environment.clone(),
        cause: waiting[0].cause.clone(),
        requested: None,
        options: waiting[0].options.clone(),
        key: Some("nightly 2026-11-27T02:30Z 1 of 3".into()),
        not_before: tomorrow - SignedDuration::from_secs(1),
    };
    desk.store.put_trigger(early, tomorrow).await.unwrap();
    assert_eq!(desk.at("2026-11-27T02:30:00Z").await.0.len(), 6);
}

/// Makes a cycle of each trigger that waits.
async fn start_all(desk: &Desk, pipeline: &Pipeline, at: &str) {
    for trigger in desk.store.waiting_triggers().await.unwrap() {
        let queued = serde_json::from_value(serde_json::json!({
            "pipeline": pipeline.name, "cycle": 0, "environment": pipeline.environment,
            "trigger": trigger.cause, "requested": null,
            "definition": { "file": "chat.yaml", "config_digest": "c", "suite": null,
                "suite_digest": null, "report_dir": "reports", "andon": "0" },
            "options": trigger.options,
        }));
        let started = desk.store.start_cycle(trigger.id, &[], queued.unwrap(), at.parse().unwrap());
        assert!(started.await.unwrap().is_some());
    }
}
