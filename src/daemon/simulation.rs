//! A hundred thousand steps of the loop's rules with a virtual clock: commits, hands, cancels,
//! crashes at every point, deploys whose end nobody saw. A seed replays bit for bit.
//!
//! Only the rules are real here (`queue`, `cycle`); store and world are a model of what the contract
//! promises of them: an append is whole or not at all, and a crash takes everything that was not stored.
//! After each step the invariants of RELIABILITY.md, section 3, are checked.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::cycle::{Action, NextStep, apply, begin, next_step, testing};
use crate::domain::event::{
    CancelRequested, Event, Moment, PhaseEnded, Queued, Recorded, ResumeAs, Resumed, RunOptions,
};
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::{Phase, PhaseOutcome, Trigger, TriggerKind, Verdict};
use crate::domain::revision::{Revision, Sha};
use crate::domain::spec::{Pipeline, Rollback, Until};
use crate::domain::state::CycleState;
use crate::queue::{Busy, Candidate, Next, Past, after_cycle, choose};

/// Small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True so many times of a hundred.
    fn often(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A commit as a number, so that a log of the simulation can be read.
fn sha(number: u64) -> Sha {
    Sha::parse(&format!("{number:040x}")).unwrap()
}

/// What is stored: it survives a crash.
#[derive(Default)]
struct Stored {
    /// Triggers by id; what became of them.
    triggers: BTreeMap<i64, (Candidate, Fate)>,
    cycles: Vec<CycleState>,
    keys: BTreeSet<String>,
    heads: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Waits,
    Became(usize),
    Dropped,
}

/// A start of a deploy: its cycle, whether it goes forth or back, the attempt.
type Start = (usize, Phase, u32);

/// What is outside: it goes on whatever becomes of us.
#[derive(Default)]
struct Outside {
    /// A deploy that runs under its supervisor.
    deploying: Option<Start>,
    /// Every start of a deploy: the oracle for "never twice".
    starts: Vec<Start>,
    serves: Option<Sha>,
}

struct Simulation {
    dice: Dice,
    now: Timestamp,
    pipelines: Vec<(&'static str, Pipeline)>,
    stored: Stored,
    outside: BTreeMap<EnvironmentName, Outside>,
    /// Cycles that this process works on, by environment: gone with a crash.
    running: BTreeMap<EnvironmentName, usize>,
    next_commit: u64,
    next_trigger: i64,
    crashes: u32,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let named = |name: &'static str, environment: &str, until: Until| {
            let mut pipeline = testing::pipeline();
            pipeline.name = PipelineName::parse(name).unwrap();
            pipeline.environment = EnvironmentName::parse(environment).unwrap();
            pipeline.cycles.until = until;
            pipeline.cycles.pause = std::time::Duration::from_secs(120);
            let when = vec![Verdict::DeployFailed, Verdict::NotReady, Verdict::Red];
            let rollback = (until == Until::Green).then_some(Rollback { when, steps: vec![] });
            pipeline.deploy.as_mut().unwrap().rollback = rollback;
            (name, pipeline)
        };
        Self {
            dice: Dice(seed | 1),
            now: testing::at(0),
            // Two share an environment; one has its own and loops.
            pipelines: vec![
                named("a", "staging", Until::Once),
                named("b", "staging", Until::Green),
                named("c", "preview", Until::Green),
            ],
            stored: Stored::default(),
            outside: BTreeMap::new(),
            running: BTreeMap::new(),
            next_commit: 1,
            next_trigger: 1,
            crashes: 0,
        }
    }

    fn step(&mut self) {
        self.now += SignedDuration::from_secs(i64::try_from(self.dice.below(20)).unwrap());
        match self.dice.below(100) {
            0..8 => self.commit(),
            8..12 => self.ask_by_hand(),
            12..14 => self.crash(),
            14..17 => self.cancel(),
            17..22 => self.resume_held(),
            22..45 => self.look(),
            _ => self.advance_one(),
        }
        self.check();
    }

    fn commit(&mut self) {
        let at = usize::try_from(self.dice.below(self.pipelines.len() as u64)).unwrap();
        let name = self.pipelines[at].0;
        let commit = self.next_commit;
        self.next_commit += 1;
        self.stored.heads.insert(name, commit);
        let settled = self.now + SignedDuration::from_secs(5);
        let waiting = self.stored.triggers.values_mut().find(|(candidate, fate)| {
            *fate == Fate::Waits
                && candidate.kind == TriggerKind::Commit
                && candidate.pipeline.as_str() == name
        });
        if let Some((candidate, _)) = waiting {
            candidate.requested = Some(sha(commit).as_str().to_owned());
            candidate.not_before = settled;
            return;
        }
        self.put(at, TriggerKind::Commit, Some(sha(commit)), settled);
    }

    fn ask_by_hand(&mut self) {
        let at = usize::try_from(self.dice.below(self.pipelines.len() as u64)).unwrap();
        if self.stored.heads.contains_key(self.pipelines[at].0) {
            self.put(at, TriggerKind::Manual, None, self.now);
        }
    }

    fn put(&mut self, at: usize, kind: TriggerKind, wanted: Option<Sha>, not_before: Timestamp) {
        let pipeline = &self.pipelines[at].1;
        let candidate = Candidate {
            id: self.next_trigger,
            pipeline: pipeline.name.clone(),
            environment: pipeline.environment.clone(),
            kind,
            requested: wanted.map(|sha| sha.as_str().to_owned()),
            newest_of: None,
            options: RunOptions { deploy: true, only: None, search_of: None },
            created_at: self.now,
            not_before,
        };
        self.stored.triggers.insert(self.next_trigger, (candidate, Fate::Waits));
        self.next_trigger += 1;
    }

    /// Everything that was not stored is gone; what is outside goes on.
    fn crash(&mut self) {
        self.running.clear();
        self.crashes += 1;
        // Now and then the supervisor dies with us, and nobody sees the deploy's end.
        for outside in self.outside.values_mut() {
            if self.dice.often(20) {
                outside.deploying = None;
            }
        }
        // As at the start of the real one: what follows from finished cycles is decided again.
        for at in 0..self.pipelines.len() {
            self.decide_what_follows(at);
        }
    }

    fn cancel(&mut self) {
        let Some(&index) = self.running.values().next() else { return };
        let state = &self.stored.cycles[index];
        let may_end = state.findings.is_none() || state.running() == Some(Phase::Rollback);
        if state.cancelled.is_none() && may_end {
            let event = Event::CancelRequested(CancelRequested { by: "ada".to_owned() });
            self.append(index, event);
        }
    }

    fn resume_held(&mut self) {
        let waits = |state: &CycleState| {
            state.finished.is_none() && state.held.is_some() && state.resumed.is_none()
        };
        let Some(index) = self.stored.cycles.iter().position(waits) else { return };
        let decision = match self.dice.below(3) {
            0 => ResumeAs::Deployed,
            1 => ResumeAs::Failed,
            _ => ResumeAs::Rerun,
        };
        self.append(index, Event::Resumed(Resumed { decision, by: "ada".to_owned() }));
    }

    /// What the daemon's loop does at each look.
    fn look(&mut self) {
        let mut taken: BTreeSet<EnvironmentName> = self.running.keys().cloned().collect();
        for index in 0..self.stored.cycles.len() {
            let state = &self.stored.cycles[index];
            let environment = state.queued.environment.clone();
            if state.finished.is_some() || taken.contains(&environment) {
                continue;
            }
            taken.insert(environment.clone());
            if state.held.is_none() || state.resumed.is_some() {
                self.running.insert(environment, index);
            }
        }
        let waiting: Vec<Candidate> = self
            .stored
            .triggers
            .values()
            .filter(|(_, fate)| *fate == Fate::Waits)
            .map(|(candidate, _)| candidate.clone())
            .collect();
        let free_slots = 2usize.saturating_sub(self.running.len());
        let busy = Busy { environments: taken, gone: BTreeSet::new(), free_slots };
        let choice = choose(&waiting, &busy, self.now);
        for (id, _) in choice.drop {
            self.stored.triggers.get_mut(&id).unwrap().1 = Fate::Dropped;
        }
        for start in choice.start {
            // The store does all of this in one transaction.
            let index = self.stored.cycles.len();
            let (candidate, fate) = self.stored.triggers.get_mut(&start.id).unwrap();
            *fate = Fate::Became(index);
            let candidate = candidate.clone();
            for joined in start.joined {
                self.stored.triggers.get_mut(&joined).unwrap().1 = Fate::Became(index);
            }
            self.stored.cycles.push(begin(self.queued(&candidate)).unwrap());
            self.running.insert(candidate.environment, index);
        }
    }

    fn queued(&self, candidate: &Candidate) -> Recorded {
        let Event::Queued(mut queued) = testing::queued() else { unreachable!() };
        let earlier = |state: &&CycleState| state.queued.pipeline == candidate.pipeline;
        let number = self.stored.cycles.iter().filter(earlier).count() + 1;
        *queued = Queued {
            pipeline: candidate.pipeline.clone(),
            environment: candidate.environment.clone(),
            cycle: u32::try_from(number).unwrap(),
            trigger: Trigger { kind: candidate.kind, detail: String::new() },
            requested: candidate.requested.clone(),
            ..*queued
        };
        Recorded { seq: 1, at: self.now, event: Event::Queued(queued) }
    }

    fn append(&mut self, index: usize, event: Event) {
        let state = &mut self.stored.cycles[index];
        let recorded = Recorded { seq: state.seq + 1, at: self.now, event };
        apply(state, recorded).unwrap();
    }

    /// One running cycle goes one step on; a crash may strike between intent and result.
    fn advance_one(&mut self) {
        let count = self.running.len() as u64;
        if count == 0 {
            return;
        }
        let which = usize::try_from(self.dice.below(count)).unwrap();
        let (environment, index) = self.running.iter().nth(which).unwrap();
        let (environment, index) = (environment.clone(), *index);
        let at = self.pipeline_of(index);
        let step = next_step(&self.stored.cycles[index], &self.pipelines[at].1, self.now);
        match step {
            NextStep::Record(events) => {
                for event in events {
                    self.append(index, event);
                }
            }
            NextStep::Perform(action) => self.perform(action, index, &environment),
            NextStep::Wait(_) => {
                self.running.remove(&environment);
            }
            NextStep::Done => {
                self.running.remove(&environment);
                self.decide_what_follows(at);
            }
        }
    }

    fn pipeline_of(&self, index: usize) -> usize {
        let name = &self.stored.cycles[index].queued.pipeline;
        self.pipelines.iter().position(|(_, pipeline)| pipeline.name == *name).unwrap()
    }

    fn perform(&mut self, action: Action, index: usize, environment: &EnvironmentName) {
        match action {
            Action::Checkout => self.check_out(index),
            Action::DeployStep { attempt, recorded, .. } => {
                self.deploy(index, attempt, recorded, environment);
            }
            Action::AskSurfaces => {
                let serves = self.serves_wanted(index, environment);
                self.append(index, testing::surfaces(Moment::Before, serves));
            }
            Action::AwaitReady { deadline_at } => {
                let phase = self.stored.cycles[index].running().unwrap();
                if self.serves_wanted(index, environment) && self.dice.often(90) {
                    self.append(index, testing::surfaces(Moment::Before, true));
                    self.append(index, testing::ended(phase, PhaseOutcome::Passed));
                } else if self.now >= deadline_at {
                    self.append(index, testing::ended(phase, PhaseOutcome::TimedOut));
                }
            }
            Action::PlanRollback => self.plan_rollback(index),
            Action::RunSuite { .. } => self.run_suite(index),
            Action::Analyse => self.analyse(index),
            Action::WriteReport => {
                self.append(index, testing::ended(Phase::Report, PhaseOutcome::Passed));
            }
            Action::Notify => {
                self.append(index, testing::ended(Phase::Notify, PhaseOutcome::Passed));
            }
        }
    }

    fn plan_rollback(&mut self, index: usize) {
        let name = &self.stored.cycles[index].queued.pipeline;
        let is_green = |state: &&CycleState| {
            state.queued.pipeline == *name
                && state.finished.as_ref().is_some_and(|end| end.what.verdict == Verdict::Green)
        };
        let green = self.stored.cycles.iter().rev().find(is_green);
        let Some(revision) = green.and_then(|state| state.resolved.clone()) else {
            let skipped = testing::ended(Phase::Rollback, PhaseOutcome::Skipped);
            return self.append(index, skipped);
        };
        let Event::RollbackPlanned(mut planned) = testing::rollback_planned() else {
            unreachable!()
        };
        planned.revision = revision.revision;
        self.append(index, Event::RollbackPlanned(planned));
    }

    /// The revision that a cycle rolls out now.
    fn wanted(&self, index: usize) -> &Sha {
        let state = &self.stored.cycles[index];
        match state.running() {
            Some(Phase::Rollback) => &state.rollback.as_ref().unwrap().planned.revision.sha,
            _ => &state.resolved.as_ref().unwrap().revision.sha,
        }
    }

    fn check_out(&mut self, index: usize) {
        let queued = &self.stored.cycles[index].queued;
        let head = self.stored.heads.get(queued.pipeline.as_str()).copied().unwrap_or(1);
        let wanted = queued.requested.as_deref().map(|text| Sha::parse(text).unwrap());
        let Event::RevisionResolved(mut resolved) = testing::resolved() else { unreachable!() };
        resolved.revision =
            Revision { sha: wanted.unwrap_or_else(|| sha(head)), ..resolved.revision };
        self.append(index, Event::RevisionResolved(resolved));
        self.append(index, testing::ended(Phase::Checkout, PhaseOutcome::Passed));
    }

    /// As the real one: intent, start, end. Each call gets one of them done, so that a crash can
    /// come between any two.
    fn deploy(
        &mut self,
        index: usize,
        attempt: u32,
        recorded: bool,
        environment: &EnvironmentName,
    ) {
        if !recorded {
            self.append(index, testing::step_started(attempt));
            // A crash between the intent and the start: proven not started, so it may still be.
            if self.dice.often(90) {
                self.start_deploy(index, attempt, environment);
            }
            return;
        }
        let start = self.start_of(index, attempt);
        let wanted = self.wanted(index).clone();
        let outside = self.outside.entry(environment.clone()).or_default();
        let was_started = outside.starts.contains(&start);
        if !was_started {
            // The supervisor's folder tells that nothing was started.
            self.start_deploy(index, attempt, environment);
        } else if outside.deploying == Some(start) {
            let passed = self.dice.often(80);
            outside.deploying = None;
            if passed {
                outside.serves = Some(wanted);
            }
            let outcome = if passed { PhaseOutcome::Passed } else { PhaseOutcome::Failed };
            self.append(index, testing::step_ended(attempt, outcome));
        } else {
            self.append(index, testing::step_ended(attempt, PhaseOutcome::Interrupted));
        }
    }

    fn start_deploy(&mut self, index: usize, attempt: u32, environment: &EnvironmentName) {
        let start = self.start_of(index, attempt);
        let outside = self.outside.entry(environment.clone()).or_default();
        assert_eq!(outside.deploying, None, "two deploys of {environment} at once");
        assert!(!outside.starts.contains(&start), "a deploy was started twice");
        outside.starts.push(start);
        outside.deploying = Some(start);
    }

    fn start_of(&self, index: usize, attempt: u32) -> Start {
        (index, self.stored.cycles[index].running().unwrap(), attempt)
    }

    fn serves_wanted(&self, index: usize, environment: &EnvironmentName) -> bool {
        let served = self.outside.get(environment).and_then(|outside| outside.serves.as_ref());
        served == Some(self.wanted(index))
    }

    fn run_suite(&mut self, index: usize) {
        let story = testing::story();
        let of = |kind: &str| story.iter().find(|event| event.kind() == kind).unwrap().clone();
        let state = &self.stored.cycles[index];
        if state.plan.is_none() {
            self.append(index, of("suite_planned"));
        } else if state.attempts.values().all(Vec::is_empty) {
            self.append(index, of("attempt_finished"));
        } else if state.suite_ended.is_none() {
            self.append(index, of("suite_ended"));
        } else {
            self.append(index, testing::surfaces(Moment::After, true));
            self.append(index, testing::ended(Phase::Suite, PhaseOutcome::Passed));
        }
    }

    fn analyse(&mut self, index: usize) {
        let state = &self.stored.cycles[index];
        let went_well = |phase| {
            let outcome = state.phase_record(phase).and_then(|record| record.outcome);
            outcome == Some(PhaseOutcome::Passed)
        };
        let verdict = if state.cancelled.is_some() {
            Verdict::Cancelled
        } else if !went_well(Phase::Checkout) || !went_well(Phase::Deploy) {
            Verdict::DeployFailed
        } else if !went_well(Phase::Ready) {
            Verdict::NotReady
        } else if self.dice.often(70) {
            Verdict::Green
        } else {
            Verdict::Red
        };
        self.append(index, testing::findings(verdict));
        let ended = PhaseEnded {
            phase: Phase::Diff,
            outcome: PhaseOutcome::Passed,
            duration_ms: 1,
            detail: None,
        };
        self.append(index, Event::PhaseEnded(ended));
    }

    fn decide_what_follows(&mut self, at: usize) {
        let pipeline = &self.pipelines[at].1;
        let mut past = Vec::new();
        let mine = self.stored.cycles.iter().rev();
        for state in mine.filter(|state| state.queued.pipeline == pipeline.name).take(6) {
            let Some(finished) = &state.finished else { return };
            past.push(Past {
                cycle: state.queued.cycle,
                revision: state.resolved.as_ref().map(|resolved| resolved.revision.sha.clone()),
                kind: state.queued.trigger.kind,
                verdict: finished.what.verdict,
                is_worth_a_rerun: false,
                not_good: BTreeSet::new(),
            });
        }
        let again = match after_cycle(&pipeline.cycles, &past) {
            Next::Rerun | Next::Again => true,
            Next::Stop(_) => false,
        };
        let Some(newest) = past.first().filter(|_| again) else { return };
        if !self.stored.keys.insert(format!("{} after {}", pipeline.name, newest.cycle)) {
            return;
        }
        let (revision, pause) = (newest.revision.clone(), SignedDuration::from_secs(120));
        self.put(at, TriggerKind::Retry, revision, self.now + pause);
    }

    fn check(&self) {
        let open = self.stored.cycles.iter().filter(|state| state.finished.is_none());
        let mut environments = BTreeSet::new();
        for state in open {
            let environment = &state.queued.environment;
            assert!(environments.insert(environment), "two open cycles of {environment}");
        }
        for (environment, index) in &self.running {
            assert_eq!(self.stored.cycles[*index].queued.environment, *environment);
        }
    }

    /// No more trouble comes: everything that waits must come to its end.
    fn come_to_rest(&mut self) {
        for _ in 0..200_000 {
            self.now += SignedDuration::from_secs(7);
            self.resume_held();
            self.look();
            self.advance_one();
            self.check();
            let waits = self.stored.triggers.values().any(|(_, fate)| *fate == Fate::Waits);
            if !waits && self.stored.cycles.iter().all(|state| state.finished.is_some()) {
                return;
            }
        }
        panic!("something is stuck");
    }

    /// The newest commit of each pipeline was covered: a cycle began with it, or with a later one.
    fn assert_nothing_was_missed(&self) {
        for (name, head) in &self.stored.heads {
            // A cycle that a person ended before its checkout still asked for it.
            let head = sha(*head);
            let covered = self.stored.cycles.iter().any(|state| {
                state.queued.pipeline.as_str() == *name
                    && (state.queued.requested.as_deref() == Some(head.as_str())
                        || state.resolved.as_ref().is_some_and(|r| r.revision.sha == head))
            });
            assert!(covered, "the newest commit of {name} was never run for");
        }
        let mut cycles = BTreeMap::new();
        for (candidate, fate) in self.stored.triggers.values() {
            match fate {
                Fate::Waits => panic!("{candidate:?} waits for ever"),
                Fate::Became(index) => *cycles.entry(index).or_insert(0) += 1,
                Fate::Dropped => assert_eq!(candidate.kind, TriggerKind::Retry),
            }
        }
        assert_eq!(cycles.len(), self.stored.cycles.len(), "each cycle has a trigger");
    }
}

/// RELIABILITY B11.
#[test]
fn nothing_is_missed_doubled_or_stuck_whatever_happens() {
    for seed in 1..=20u64 {
        let mut simulation = Simulation::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for _ in 0..5_000 {
            simulation.step();
        }
        simulation.come_to_rest();
        simulation.assert_nothing_was_missed();
        assert!(simulation.crashes > 50, "seed {seed}: the trouble came");
        assert!(simulation.stored.cycles.len() > 50, "seed {seed}: the work was done");
        let went_back = |state: &CycleState| {
            let phase = state.phase_record(Phase::Rollback);
            phase.is_some_and(|record| record.outcome == Some(PhaseOutcome::Passed))
        };
        assert!(simulation.stored.cycles.iter().any(went_back), "seed {seed}: the way back");
    }
}

/// RELIABILITY B11.
#[test]
fn a_seed_replays_bit_for_bit() {
    let run = || {
        let mut simulation = Simulation::new(42);
        for _ in 0..2_000 {
            simulation.step();
        }
        format!("{:?}", simulation.stored.cycles)
    };
    assert_eq!(run(), run());
}
