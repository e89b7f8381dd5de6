//! The logs of a cycle: what its steps and commands wrote, in the order in which they began.

use std::path::{Path, PathBuf};

use crate::command::RunFolder;
use crate::domain::event::{CommandEnded, CommandPart, Event, Left, Recorded, StepEnded};
use crate::domain::evidence::Excerpt;
use crate::domain::gap::PlacedGap;
use crate::domain::outcome::Phase;
use crate::domain::state::{CommandRecord, CycleState, StepRecord};
use crate::process;

/// What a supervisor writes the output to.
const OUTPUT: &str = "output.log";

/// One log.
#[derive(Debug)]
pub struct Log<'a> {
    /// The phase that it is of.
    pub phase: Phase,
    /// The step within that phase, from 1.
    pub step: u32,
    /// 1, or more when it was tried again.
    pub attempt: u32,
    /// What ran.
    pub name: String,
    /// How it ended; `None` while it runs.
    pub end: Option<&'a str>,
    /// Where its text is.
    pub text: LogText<'a>,
}

/// Where the text of a log is.
#[derive(Debug)]
pub enum LogText<'a> {
    /// In a file, relative to the state folder.
    File(PathBuf),
    /// In the records: the answer to a request.
    Kept(Option<&'a Excerpt>),
}

/// Every log so far. A log keeps its place: a later one only comes after it.
pub fn logs_of(state: &CycleState) -> Vec<Log<'_>> {
    let back = state.rollback.as_ref().map_or(&[][..], |rollback| &rollback.steps);
    in_order(&state.steps, &state.commands, back)
}

fn in_order<'a>(
    deploy: &'a [StepRecord],
    suite: &'a [CommandRecord],
    back: &'a [StepRecord],
) -> Vec<Log<'a>> {
    let deploy = deploy.iter().map(|step| of_step(Phase::Deploy, step));
    let suite = (1..).zip(suite).map(|(step, record)| of_command(step, record));
    let back = back.iter().map(|step| of_step(Phase::Rollback, step));
    deploy.chain(suite).chain(back).collect()
}

/// What the events of a cycle tell of its logs, and nothing else: whoever follows a log of a large suite asks for them
/// again and again. They were legal when they were written; here nothing is checked.
#[derive(Debug, Default)]
pub struct LogRecords {
    seq: u64,
    is_back: bool,
    deploy: Vec<StepRecord>,
    suite: Vec<CommandRecord>,
    back: Vec<StepRecord>,
}

impl LogRecords {
    /// The last event that was taken.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The logs so far, as [`logs_of`] has them.
    pub fn logs(&self) -> Vec<Log<'_>> {
        in_order(&self.deploy, &self.suite, &self.back)
    }

    /// Takes the next event.
    pub fn take(&mut self, recorded: Recorded) {
        let Recorded { seq, at, event } = recorded;
        self.seq = seq;
        match event {
            Event::PhaseStarted(begun) => self.is_back = begun.phase == Phase::Rollback,
            Event::StepStarted(started) => {
                self.steps().push(StepRecord { started, started_at: at, ended: None });
            }
            Event::StepEnded(ended) => self.end_step(ended),
            Event::CommandStarted(started) => {
                self.suite.push(CommandRecord { started, started_at: at, ended: None });
            }
            Event::CommandEnded(ended) => self.end_command(*ended),
            _ => {}
        }
    }

    /// The steps of the phase that runs.
    fn steps(&mut self) -> &mut Vec<StepRecord> {
        if self.is_back { &mut self.back } else { &mut self.deploy }
    }

    fn end_step(&mut self, ended: StepEnded) {
        let Some(open) = self.steps().last_mut().filter(|step| step.ended.is_none()) else {
            return;
        };
        // What stands in a file is not kept here as well.
        let output = if open.started.is_request() { ended.output } else { None };
        open.ended = Some(StepEnded { output, ..ended });
    }

    fn end_command(&mut self, ended: CommandEnded) {
        let mut records = self.suite.iter_mut();
        let open = records.find(|record| record.started.run == ended.run && record.ended.is_none());
        if let Some(open) = open {
            let (output, observed, doubts, left) = (None, None, Vec::new(), Left::default());
            open.ended = Some(CommandEnded { output, observed, doubts, left, ..ended });
        }
    }
}

/// What was cut out of the middle of a log when it was written.
pub fn gap_of(log: &Path) -> Option<PlacedGap> {
    process::gap_of(log.parent()?)
}

fn of_step(phase: Phase, step: &StepRecord) -> Log<'_> {
    let ended = step.ended.as_ref();
    let text = match step.started.run_dir.as_deref() {
        Some(folder) => LogText::File(Path::new(folder).join(OUTPUT)),
        None => LogText::Kept(ended.and_then(|ended| ended.output.as_ref())),
    };
    Log {
        phase,
        step: step.started.index + 1,
        attempt: step.started.attempt,
        name: step.started.name.clone(),
        end: ended.map(|ended| ended.detail.as_str()),
        text,
    }
}

fn of_command(step: u32, record: &CommandRecord) -> Log<'_> {
    let run = &record.started.run;
    let name = match (run.part, run.shard) {
        (CommandPart::List, _) => format!("{} (list)", run.command),
        (CommandPart::Rerun, _) => format!("{} (again)", run.command),
        (CommandPart::Tests, Some(shard)) => format!("{} (shard {shard})", run.command),
        (CommandPart::Tests, None) => run.command.to_string(),
    };
    Log {
        phase: Phase::Suite,
        step,
        attempt: run.attempt,
        name,
        end: record.ended.as_ref().map(|ended| ended.detail.as_str()),
        text: LogText::File(
            Path::new(&record.started.dir).join(RunFolder::SUPERVISED).join(OUTPUT),
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cycle::{fold, testing};
    use crate::domain::event::{CommandRun, CommandStarted, StepStarted};
    use crate::domain::outcome::PhaseOutcome;

    fn run() -> CommandRun {
        let command = "unit".into();
        CommandRun { command, part: CommandPart::Tests, attempt: 1, shard: Some(2) }
    }

    fn begins() -> Event {
        let (deadline_at, dir) = (testing::at(500), "d".to_owned());
        let started =
            CommandStarted { run: run(), deadline_at, dir, proxy_port: None, again: vec![] };
        Event::CommandStarted(started)
    }

    fn ends() -> Event {
        Event::CommandEnded(Box::new(CommandEnded {
            run: run(),
            outcome: PhaseOutcome::Passed,
            exit: Some(0),
            duration_ms: 5,
            detail: "exit 0".to_owned(),
            output: None,
            observed: None,
            doubts: vec![],
            left: Left::default(),
        }))
    }

    /// A step that is a request: what it left stands in the records.
    fn asks() -> [Event; 2] {
        let Event::StepStarted(started) = testing::step_started(1) else { panic!("a step") };
        let Event::StepEnded(ended) = testing::step_ended(1, PhaseOutcome::Passed) else {
            panic!("its end")
        };
        let output = Some(Excerpt::of("answered", 8));
        [
            Event::StepStarted(StepStarted { index: 1, run_dir: None, ..started }),
            Event::StepEnded(StepEnded { index: 1, output, ..ended }),
        ]
    }

    /// After each event of a cycle that has every kind of log, what is read of the logs alone is what the state has.
    #[test]
    fn the_events_tell_of_logs_what_the_state_does() {
        let mut events = testing::story();
        let after = |events: &[Event], kind: &str| {
            events.iter().position(|event| event.kind() == kind).unwrap() + 1
        };
        let place = after(&events, "attempt_finished");
        events.splice(place..place, [begins(), ends()]);
        let place = after(&events, "step_ended");
        events.splice(place..place, asks());
        let place = after(&events, "analysed") + 1;
        let way_back = [
            testing::started(Phase::Rollback),
            testing::rollback_planned(),
            testing::step_started(1),
            testing::step_ended(1, PhaseOutcome::Passed),
        ];
        events.truncate(place);
        events.extend(way_back);
        let recorded = testing::record(events);
        let mut records = LogRecords::default();
        for (read, event) in (1..).zip(&recorded) {
            records.take(event.clone());
            let state = fold(recorded[..read].to_vec()).unwrap();
            assert_eq!(format!("{:?}", records.logs()), format!("{:?}", logs_of(&state)));
            assert_eq!(records.seq(), state.seq);
        }
        let told: Vec<_> =
            records.logs().iter().map(|log| (log.phase, log.end.is_some())).collect();
        use Phase::{Deploy, Rollback, Suite};
        assert_eq!(told, [(Deploy, true), (Deploy, true), (Suite, true), (Rollback, true)]);
        assert!(format!("{:?}", records.logs()).contains("answered"));
    }
}
