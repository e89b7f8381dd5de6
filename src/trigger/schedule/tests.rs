//! Due times under restarts, long nights and clocks that jump.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::pipeline::crontab::Zones;

fn schedule(cron: &str, missed: MissedRun) -> Schedule {
    Schedule {
        name: "nightly".into(),
        cron: cron.into(),
        timezone: "UTC".into(),
        missed,
        only_if_changed: false,
        deploy: true,
        repeat: 1,
    }
}

fn timer(cron: &str, missed: MissedRun) -> Timer {
    Timer::new(&schedule(cron, missed)).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The clock loop without its store: what is due is done, and the cursor moves.
struct Loop {
    timers: Vec<Timer>,
    cursors: BTreeMap<String, Timestamp>,
    started: Timestamp,
    ran: Vec<(Timestamp, DueKind)>,
}

impl Loop {
    fn new(timer: Timer, cursor: Option<&str>, started: &str) -> Self {
        let cursors = cursor.map(|text| ("nightly".to_owned(), at(text)));
        Self {
            timers: vec![timer],
            cursors: cursors.into_iter().collect(),
            started: at(started),
            ran: vec![],
        }
    }

    fn tick(&mut self, now: &str) -> Option<DueKind> {
        let found = due(&self.timers, &self.cursors, at(now), self.started);
        assert!(found.len() <= 1);
        let found = found.first()?;
        let (key, kind) = (found.at, found.kind);
        self.cursors.insert("nightly".into(), key);
        // As the store has it: a key is stored once.
        if matches!(kind, DueKind::Run | DueKind::CatchUp)
            && self.ran.iter().all(|(at, _)| *at != key)
        {
            self.ran.push((key, kind));
        }
        Some(kind)
    }

    fn ran(&self) -> Vec<String> {
        self.ran.iter().map(|(at, _)| instant_text(*at)).collect()
    }
}

#[test]
fn a_due_time_runs_once_and_in_time() {
    let mut clock =
        Loop::new(timer("30 2 * * *", MissedRun::RunOnce), None, "2026-11-25T12:00:00Z");
    assert_eq!(clock.tick("2026-11-25T12:00:00Z"), Some(DueKind::Begin));
    assert_eq!(clock.tick("2026-11-25T12:01:00Z"), None);
    assert_eq!(clock.tick("2026-11-26T02:29:59.999Z"), None);
    assert_eq!(clock.tick("2026-11-26T02:30:00.001Z"), Some(DueKind::Run));
    assert_eq!(clock.tick("2026-11-26T02:30:00.002Z"), None);
    assert_eq!(clock.tick("2026-11-27T02:30:00Z"), Some(DueKind::Run));
    assert_eq!(clock.ran(), ["2026-11-26T02:30Z", "2026-11-27T02:30Z"]);
}

#[test]
fn what_was_missed_is_caught_up_with_once_or_not_at_all() {
    for (missed, kind) in
        [(MissedRun::RunOnce, DueKind::CatchUp), (MissedRun::Skip, DueKind::PassOver)]
    {
        let down = || {
            Loop::new(
                timer("30 2 * * *", missed),
                Some("2026-11-23T02:30:00Z"),
                "2026-11-26T08:00:00Z",
            )
        };
        let mut clock = down();
        assert_eq!(clock.tick("2026-11-26T08:00:00Z"), Some(kind));
        assert_eq!(clock.tick("2026-11-26T08:01:00Z"), None);
        assert_eq!(clock.tick("2026-11-27T02:30:00Z"), Some(DueKind::Run));
        // A machine that slept while the daemon ran is no different.
        let mut clock = Loop::new(
            timer("30 2 * * *", missed),
            Some("2026-11-25T02:30:00Z"),
            "2026-11-20T08:00:00Z",
        );
        assert_eq!(clock.tick("2026-11-26T08:00:00Z"), Some(kind));
        // A loop that is a little late is.
        let mut clock = Loop::new(
            timer("30 2 * * *", missed),
            Some("2026-11-25T02:30:00Z"),
            "2026-11-20T08:00:00Z",
        );
        assert_eq!(clock.tick("2026-11-26T02:39:00Z"), Some(DueKind::Run));
    }
}

#[test]
fn c4_three_days_of_minutes_are_one_time_or_none() {
    for (missed, runs) in [(MissedRun::RunOnce, 1), (MissedRun::Skip, 0)] {
        for cron in ["* * * * *", "*/7 3-5 * * *", "* * 26 * *"] {
            let mut clock = Loop::new(
                timer(cron, missed),
                Some("2026-11-23T08:00:00Z"),
                "2026-11-26T08:00:30Z",
            );
            clock.tick("2026-11-26T08:00:30Z");
            assert_eq!(clock.ran.len(), runs, "{cron}");
            assert_eq!(clock.tick("2026-11-26T08:00:59Z"), None, "{cron}");
        }
    }
}

#[test]
fn c4_the_last_due_time_is_found_in_few_steps() {
    // Ten years of minutes: counting them would be five million steps.
    let timer = timer("* * * * *", MissedRun::RunOnce);
    let last = timer.last_between(at("2016-01-01T00:00:00Z"), at("2026-11-26T08:00:59Z"));
    assert_eq!(last, Some(at("2026-11-26T08:00:00Z")));
}

#[test]
fn the_last_due_time_is_the_one_that_counting_finds() {
    let begin = at("2026-02-01T00:17:30Z");
    for cron in
        ["*/5 * * * *", "30 2 * * *", "0 9 * * 1-5", "0 0 1 * *", "15 */6 * 2,10 *", "* 2 25 10 *"]
    {
        for zone in ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"] {
            let mut timer = timer(cron, MissedRun::RunOnce);
            timer.zone = Zones::get(zone).unwrap();
            for hours in [1, 30, 24 * 60, 24 * 300] {
                let until = begin + SignedDuration::from_hours(hours);
                let mut counted = None;
                let mut from = begin;
                while let Some(next) =
                    timer.crontab.next_after(from, &timer.zone).filter(|next| *next <= until)
                {
                    (counted, from) = (Some(next), next);
                }
                assert_eq!(timer.last_between(begin, until), counted, "{cron} {zone} {hours} h");
            }
        }
    }
}

#[test]
fn c3_a_clock_that_is_set_back_runs_nothing_twice() {
    let mut clock = Loop::new(
        timer("30 2 * * *", MissedRun::RunOnce),
        Some("2026-11-25T02:30:00Z"),
        "2026-11-25T12:00:00Z",
    );
    assert_eq!(clock.tick("2026-11-26T02:30:05Z"), Some(DueKind::Run));
    assert_eq!(clock.tick("2026-11-26T01:30:00Z"), None);
    assert_eq!(clock.tick("2026-11-26T02:30:00Z"), None);
    // Forty days ahead by mistake: one time to catch up with. And back: each day runs again, once.
    assert_eq!(clock.tick("2027-01-05T12:00:00Z"), Some(DueKind::CatchUp));
    assert_eq!(clock.tick("2026-11-26T02:00:00Z"), Some(DueKind::Begin));
    assert_eq!(clock.tick("2026-11-26T02:30:00Z"), Some(DueKind::Run));
    assert_eq!(clock.tick("2026-11-27T02:30:00Z"), Some(DueKind::Run));
    assert_eq!(clock.tick("2027-01-05T12:00:00Z"), Some(DueKind::CatchUp));
    // Those that came a second time have keys that are known.
    assert_eq!(clock.ran(), ["2026-11-26T02:30Z", "2027-01-05T02:30Z", "2026-11-27T02:30Z"]);
}

#[test]
fn the_next_due_time_is_told() {
    let timer = timer("30 2 * * *", MissedRun::RunOnce);
    let now = at("2026-11-26T02:00:00Z");
    assert_eq!(timer.next_after(None, now), Some(at("2026-11-26T02:30:00Z")));
    // Dealt with already, before the clock was set back.
    assert_eq!(
        timer.next_after(Some(at("2026-11-26T02:30:00Z")), now),
        Some(at("2026-11-27T02:30:00Z"))
    );
    assert_eq!(
        timer.next_after(Some(at("2126-11-26T02:30:00Z")), now),
        Some(at("2026-11-26T02:30:00Z"))
    );
}

#[test]
fn triggers_say_what_they_are_for() {
    let mut nightly = schedule("30 2 * * *", MissedRun::RunOnce);
    nightly.timezone = "Europe/Berlin".into();
    let pipeline = crate::cycle::testing::pipeline();
    let sha = Sha::parse(&"ab".repeat(20)).unwrap();
    let triggers = |schedule: &Schedule, kind| {
        let timer = Timer::new(schedule).unwrap();
        let due = Due { timer: &timer, at: at("2026-11-26T01:30:00Z"), kind };
        due.triggers(&pipeline, Some(&sha))
    };
    let one = triggers(&nightly, DueKind::Run);
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].cause.detail, "nightly, due 2026-11-26 02:30 Europe/Berlin");
    assert_eq!(one[0].key.as_deref(), Some("nightly 2026-11-26T01:30Z"));
    // The newest revision when its turn comes.
    assert_eq!((one[0].requested.as_deref(), one[0].options.deploy), (None, true));
    assert!(triggers(&nightly, DueKind::PassOver).is_empty());
    assert!(triggers(&nightly, DueKind::Begin).is_empty());

    nightly.repeat = 3;
    let three = triggers(&nightly, DueKind::CatchUp);
    let keys: Vec<&str> = three.iter().filter_map(|trigger| trigger.key.as_deref()).collect();
    assert_eq!(
        keys,
        [
            "nightly 2026-11-26T01:30Z 1 of 3",
            "nightly 2026-11-26T01:30Z 2 of 3",
            "nightly 2026-11-26T01:30Z 3 of 3"
        ]
    );
    assert_eq!(
        three[1].cause.detail,
        "nightly, due 2026-11-26 02:30 Europe/Berlin and missed then (2 of 3)"
    );
    assert!(three.iter().all(|trigger| trigger.requested.as_deref() == Some(sha.as_str())));

    nightly.deploy = false;
    let tests = triggers(&nightly, DueKind::Run);
    assert!(tests.iter().all(|t| !t.options.deploy && t.requested.is_none()));
}
