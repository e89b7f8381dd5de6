//! A running cycle for people: lines that stay, and on a terminal one line that moves.

use std::sync::Mutex;

use super::words;
use crate::cli::console::{self, Console};
use crate::cli::context::Context;
use crate::cli::output::{bold, clean, clean_lines, counted};
use crate::cli::settings::Detail;
use crate::domain::attempt::{Attempt, AttemptResult};
use crate::domain::event::{
    CommandEnded, ControlsRead, Event, Moment, PhaseEnded, RevisionResolved, StepEnded, SuiteEnded,
    SurfacesRead,
};
use crate::domain::evidence::Excerpt;
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::state::CycleState;
use crate::engine::{Observer, Progress};

/// How many of the last lines of a failed step are shown.
const TAIL_LINES: usize = 10;
/// An unfinished line of output that is longer is let go.
const MAX_PARTIAL: usize = 4096;

/// Shows a cycle while it runs.
pub struct Live {
    detail: Detail,
    console: Console,
    moves: bool,
    /// Whether the same eyes read the result on standard output.
    result_follows: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    passed: u64,
    failing: u64,
    partial_line: String,
}

impl Live {
    /// A display as the options and the terminal ask for.
    pub fn new(context: &Context) -> Self {
        let detail = context.settings.detail;
        let moves = context.host.stderr_is_terminal
            && detail != Detail::Quiet
            && context.settings.console.is_for_people();
        Self {
            detail,
            console: context.settings.console,
            moves,
            result_follows: moves && context.host.columns.is_some(),
            seen: Mutex::default(),
        }
    }

    /// Prints a line that stays.
    fn line(&self, what: &str, text: &str) {
        if self.detail != Detail::Quiet {
            self.console.say_of(what, text);
        }
    }

    /// Changes the line that moves.
    fn moving(&self, text: String) {
        if self.moves {
            console::show_moving(text);
        }
    }

    fn is_verbose(&self) -> bool {
        self.detail >= Detail::Verbose
    }

    fn recorded(&self, event: &Event, state: &CycleState) {
        match event {
            Event::Queued(queued) => {
                *self.seen.lock().expect("no holder of this lock panics") = Seen::default();
                let title = format!("cycle {} of {}", queued.cycle, queued.pipeline);
                self.line("", &format!("{} {}", bold(&title), clean(&queued.trigger.detail)));
            }
            Event::PhaseStarted(started) => self.moving(format!("{} …", started.phase)),
            Event::RevisionResolved(resolved) => self.resolved(resolved),
            Event::StepStarted(step) => {
                self.moving(format!("{}: {} …", state.phase(), clean(&step.name)));
            }
            Event::StepEnded(ended) => self.step_ended(ended, state),
            Event::SurfacesRead(read) => self.surfaces(read),
            Event::ControlsRead(read) => self.controls(read),
            // Of a suite that never began it only says what did not run.
            Event::SuitePlanned(plan) if suite_began(state) => {
                let cases = match plan.cases.len() {
                    0 => "what its commands report".to_owned(),
                    cases => counted(cases, "case"),
                };
                self.line("suite", &format!("{}: {cases}", clean(&plan.name)));
            }
            Event::CommandStarted(started) => {
                self.moving(format!("suite: {} …", clean(&started.run.command)));
            }
            Event::CommandEnded(ended) => self.command_ended(ended),
            Event::AttemptFinished(attempt) => self.attempt(attempt, state),
            Event::SuiteEnded(ended) if suite_began(state) => self.suite_ended(ended),
            Event::SuitePlanned(_) | Event::SuiteEnded(_) | Event::CasesPlanned(_) => {}
            Event::PhaseEnded(ended) => self.phase_ended(ended),
            Event::RollbackPlanned(back) => self.line("rollback", &words::rollback(back)),
            Event::Analysed(_) | Event::ReportWritten(_) if self.result_follows => {}
            Event::Analysed(findings) => self.line("verdict", &words::verdict(findings)),
            Event::ReportWritten(report) => self.line("report", &clean(&report.path)),
            Event::Held(held) => {
                console::clear_moving();
                self.line("held", &words::reason(&held.reason));
            }
            Event::Resumed(resumed) => {
                self.line("resumed", &format!("as {} by {}", resumed.decision, clean(&resumed.by)));
            }
            Event::CancelRequested(cancel) => {
                self.line("cancelled", &format!("by {}", clean(&cancel.by)));
            }
            Event::Finished(_) => console::clear_moving(),
        }
    }

    fn resolved(&self, resolved: &RevisionResolved) {
        self.line("checkout", &words::revision(resolved));
        for entry in &resolved.left_out {
            self.line("checkout", &format!("left out: {}", clean(entry)));
        }
    }

    fn step_ended(&self, ended: &StepEnded, state: &CycleState) {
        // Events are told once they are durable, and the state may be ahead of them.
        let of = state.all_steps().filter(|(_, step)| step.ended.as_ref() == Some(ended)).last();
        let (phase, name) =
            of.map_or((state.phase(), ""), |(phase, step)| (phase, step.started.name.as_str()));
        self.line(phase.as_str(), &words::step(name, ended));
        if ended.outcome != PhaseOutcome::Passed {
            self.end_of(ended.output.as_ref());
        }
    }

    /// The last lines of what a command wrote.
    fn end_of(&self, output: Option<&Excerpt>) {
        let text = output.map_or("", |output| output.text.as_str());
        let lines: Vec<String> = clean_lines(text).collect();
        for line in lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)) {
            self.line("", line);
        }
    }

    fn command_ended(&self, ended: &CommandEnded) {
        self.line("suite", &words::command(ended));
        // Where tests failed, the report has what they say.
        if ended.outcome != PhaseOutcome::Passed && ended.left.failing == 0 {
            self.end_of(ended.output.as_ref());
        }
        for file in &ended.left.files {
            for remark in file.refused.iter().chain(&file.warnings) {
                let text = format!("{}: {}", clean(&file.path), words::reason(remark));
                self.line("suite", &text);
            }
        }
    }

    fn surfaces(&self, read: &SurfacesRead) {
        for surface in &read.surfaces {
            if read.moment == Moment::Before || surface.matches == Some(false) {
                self.line("ready", &words::surface(surface));
            }
        }
    }

    fn controls(&self, read: &ControlsRead) {
        for reading in &read.readings {
            if let Some(why) = &reading.failure {
                let text =
                    format!("{} does not hold: {}", clean(&reading.name), words::reason(why));
                self.line("ready", &text);
            }
        }
    }

    fn attempt(&self, attempt: &Attempt, state: &CycleState) {
        let (passed, failing) = {
            let mut seen = self.seen.lock().expect("no holder of this lock panics");
            match attempt.result() {
                AttemptResult::Passed => seen.passed += 1,
                AttemptResult::Skipped => {}
                AttemptResult::Failed | AttemptResult::Errored => seen.failing += 1,
            }
            (seen.passed, seen.failing)
        };
        if attempt.failure.is_some() || self.is_verbose() {
            self.line("suite", &words::attempt(attempt));
        }
        let planned = state.planned().len();
        self.moving(format!(
            "suite: {passed} passed and {failing} failing attempts at {planned} cases"
        ));
    }

    fn suite_ended(&self, ended: &SuiteEnded) {
        for failure in ended.setup_failures.iter().chain(&ended.teardown_failures) {
            self.line("suite", &words::reason(failure));
        }
        if let Some(why) = &ended.retries_withheld {
            self.line("suite", &clean(why));
        }
        if let Some(why) = ended.stopped_by {
            let cases = counted(ended.not_run.len(), "case");
            self.line("suite", &format!("ended early ({why}): {cases} did not run"));
        }
    }

    fn phase_ended(&self, ended: &PhaseEnded) {
        // What became of the way back is asked by everybody.
        let trouble = !ended.outcome.went_well() || ended.phase == Phase::Rollback;
        if trouble || self.is_verbose() {
            self.line(ended.phase.as_str(), &words::phase(ended));
        } else if ended.phase == Phase::Ready && ended.outcome == PhaseOutcome::Skipped {
            self.line("ready", ended.detail.as_deref().unwrap_or_default());
        }
    }

    /// Output of a deploy step: every line with `-v`, else only the line that moves.
    fn output(&self, step: &str, bytes: &[u8]) {
        for line in self.whole_lines(bytes) {
            let line = clean_lines(&line).next().unwrap_or_default();
            if self.is_verbose() {
                self.line("deploy", &line);
            } else {
                self.moving(format!("deploy: {}: {line}", clean(step)));
            }
        }
    }

    /// The lines that are whole now; the rest waits for its end, as far as there is room.
    fn whole_lines(&self, bytes: &[u8]) -> Vec<String> {
        let mut seen = self.seen.lock().expect("no holder of this lock panics");
        seen.partial_line.push_str(&String::from_utf8_lossy(bytes));
        let mut lines = Vec::new();
        while let Some(end) = seen.partial_line.find('\n') {
            lines.push(seen.partial_line.drain(..=end).collect());
        }
        if seen.partial_line.len() > MAX_PARTIAL {
            seen.partial_line.clear();
        }
        lines
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        console::clear_moving();
    }
}

fn suite_began(state: &CycleState) -> bool {
    state.phase_record(Phase::Suite).is_some()
}

impl Observer for Live {
    fn on(&self, progress: Progress<'_>) {
        match progress {
            Progress::Recorded { recorded, state } => self.recorded(&recorded.event, state),
            Progress::Waiting { why } => self.line("waiting", &clean(why)),
            Progress::Output { step, bytes } => self.output(step, bytes),
            Progress::Ready { held, of, surfaces, checks, left } => {
                self.moving(words::waiting((held, of), surfaces, checks, left));
            }
            Progress::CaseStarted { case, attempt: _ } => {
                if self.is_verbose() {
                    self.moving(format!("suite: {} …", clean(case.as_str())));
                }
            }
            Progress::Counted { command, cases, of } => {
                let text = words::counted(command, cases, of);
                // Where nothing moves, who wants to know more sees each count.
                if self.is_verbose() {
                    self.line("suite", &text)
                } else {
                    self.moving(format!("suite: {text}"))
                }
            }
            Progress::Note { text } => self.line("note", &clean(text)),
            // How many there are is said above.
            Progress::Reported { .. } => {}
        }
    }
}
