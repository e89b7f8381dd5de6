//! What a run says: its results by the readers and under the ids of a cycle, and how its command ended.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::command::{
    Listed, Names, Printed, Reading, Reported, RunFolder, parse_listed, reconcile,
};
use crate::deploy::StepEnd;
use crate::domain::event::{CommandEnded, CommandPart, CommandRun, Left};
use crate::domain::names::CaseId;
use crate::domain::outcome::PhaseOutcome;
use crate::domain::redact::Masker;
use crate::domain::spec::SuiteCommand;
use crate::prove::{Candidate, CommandEnd, IsService, Planned, Told, Traffic};
use crate::verdict::ReportedRun;

/// Of the output so much of one line is quoted, in characters.
const MAX_LINE: usize = 200;

/// Where the results of a run are, and how they are read.
pub(super) struct Results {
    pub(super) folder: RunFolder,
    pub(super) command: SuiteCommand,
    pub(super) names: Names,
    pub(super) masker: Masker,
    pub(super) listed: Printed,
    /// When the run began.
    pub(super) since: Timestamp,
}

/// A run, read.
pub(super) struct Read {
    /// How the command ended.
    pub(super) ended: CommandEnded,
    /// What went through its proxy.
    pub(super) traffic: Traffic,
    cases: Vec<(Reported, Planned)>,
    /// What was listed, and is not in the results.
    missing: Vec<CaseId>,
    by_id: HashMap<CaseId, usize>,
}

impl Results {
    /// Reads them. Blocking.
    pub(super) fn read(self, end: StepEnd, traffic: Traffic) -> Read {
        let Self { folder, command, names, masker, listed: printed, since } = self;
        let lines = parse_listed(&printed.text);
        let listed = Listed::of(lines.iter().copied());
        let reading = Reading {
            command: &command,
            folder: &folder,
            since,
            names: &names,
            listed: &listed,
            masker: &masker,
        };
        // Nobody is told how to run it again.
        let (cases, left) = reading.read(|found| {
            let planned = found.named.listed.map_or(Planned::Reported, |_| Planned::Listed);
            (String::new(), planned)
        });
        let places = cases.iter().enumerate();
        let by_id: HashMap<CaseId, usize> =
            places.map(|(place, (case, _))| (case.id.clone(), place)).collect();
        let mut missing: Vec<CaseId> =
            lines.into_iter().map(|line| names.of_listed(line)).collect();
        missing.retain(|id| !by_id.contains_key(id));
        missing.sort_unstable();
        missing.dedup();
        Read { ended: ended(&command, end, left), traffic, cases, missing, by_id }
    }
}

fn ended(command: &SuiteCommand, end: StepEnd, left: Left) -> CommandEnded {
    let StepEnd { exit, outcome, duration_ms, detail, output } = end;
    CommandEnded {
        run: CommandRun {
            command: command.name.as_str().into(),
            part: CommandPart::Tests,
            attempt: 1,
            shard: None,
        },
        outcome,
        exit,
        duration_ms,
        detail,
        output,
        observed: None,
        doubts: Vec::new(),
        left,
    }
}

impl Read {
    /// What it says of a case.
    pub(super) fn told(&self, case: &CaseId) -> Told {
        self.by_id.get(case).map_or(Told::Nothing, |at| told_by(&self.cases[*at].0))
    }

    /// How the command as a whole ended.
    pub(super) fn end(&self) -> CommandEnd {
        let CommandEnded { outcome, left, .. } = &self.ended;
        match (outcome, left.failing) {
            (PhaseOutcome::Passed, 0) if left.cases > 0 => CommandEnd::Passed,
            (_, 0) => CommandEnd::Failed,
            (_, 1..) => CommandEnd::FailedByCase,
        }
    }

    /// The cases, as they were with the real service: those that were reported, then those that were only
    /// listed.
    pub(super) fn candidates(&self, is_service: IsService<'_>) -> Vec<Candidate> {
        let runs: Vec<ReportedRun<'_>> =
            self.cases.iter().map(|(case, _)| case.as_run(None)).collect();
        let used = self.traffic.by_case(&runs, is_service);
        let reported = self.cases.iter().map(|(case, planned)| Candidate {
            id: case.id.clone(),
            told: told_by(case),
            planned: *planned,
            used: used.get(&case.id).cloned().unwrap_or_default(),
        });
        let missing = self.missing.iter().map(|id| Candidate {
            id: id.clone(),
            told: Told::Nothing,
            planned: Planned::Listed,
            used: Default::default(),
        });
        reported.chain(missing).collect()
    }
}

fn told_by(case: &Reported) -> Told {
    match (case.failure(), case.as_run(None).passed) {
        (Some(failure), _) => Told::Failing(failure.message.clone()),
        (None, true) => Told::Passed,
        (None, false) => Told::Skipped,
    }
}

/// Why a run with the real service shows nothing of what its command does when something is wrong: a cycle
/// would not believe it either.
pub(super) fn why_not_believed(ended: &CommandEnded, masker: &Masker) -> Option<String> {
    let why = match ended.outcome {
        PhaseOutcome::Passed | PhaseOutcome::Failed | PhaseOutcome::Skipped => {
            let nothing = || format!("{}, no results", ended.detail);
            reconcile(ended).or_else(|| (ended.left.cases == 0).then(nothing))?
        }
        PhaseOutcome::TimedOut
        | PhaseOutcome::Cancelled
        | PhaseOutcome::Interrupted
        | PhaseOutcome::Errored => ended.detail.clone(),
    };
    let said = ended.output.as_ref().and_then(|output| last_line(&output.text));
    let said = said.map_or_else(String::new, |line| format!(" (`{line}`)"));
    Some(masker.mask(&format!("with the real service: {why}{said}")))
}

fn last_line(text: &str) -> Option<String> {
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(MAX_LINE).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;
    use crate::command::testing;
    use crate::domain::evidence::Excerpt;

    fn results(folder: &RunFolder, list: &str) -> Results {
        let masker = Masker::new(["hunter2-secret".to_owned()]);
        Results {
            folder: folder.clone(),
            command: testing::command(),
            names: Names::beside(HashSet::from([id("s::native")]), "pytest", &masker),
            masker,
            listed: Printed { text: list.to_owned(), is_cut: false },
            since: Timestamp::UNIX_EPOCH,
        }
    }

    fn id(id: &str) -> CaseId {
        CaseId::parse(id).unwrap()
    }

    fn step(outcome: PhaseOutcome, exit: Option<i32>) -> StepEnd {
        StepEnd { exit, outcome, duration_ms: 1, detail: "exit N".to_owned(), output: None }
    }

    #[test]
    fn results_are_read_under_the_ids_of_a_cycle() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(dir.path().join("run"));
        folder.prepare().unwrap();
        let xml = "<testsuite name='s'><testcase name='ok'/><testcase name='native'/>\
                   <testcase name='off'><skipped/></testcase>\
                   <testcase name='bad'><failure message='got hunter2-secret'/></testcase></testsuite>";
        std::fs::write(folder.results().join("r.xml"), xml).unwrap();
        let read = results(&folder, "s::ok\ngone\n")
            .read(step(PhaseOutcome::Failed, Some(1)), Traffic::default());
        assert_eq!(read.told(&id("s::ok")), Told::Passed);
        assert_eq!(read.told(&id("s::off")), Told::Skipped);
        assert_eq!(read.told(&id("gone")), Told::Nothing);
        assert!(matches!(read.told(&id("s::bad")), Told::Failing(why) if !why.contains("hunter2")));
        assert_eq!(read.end(), CommandEnd::FailedByCase);
        let candidates = read.candidates(&|_| true);
        let ids: Vec<&str> = candidates.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids, ["s::ok", "[pytest] s::native", "s::off", "s::bad", "gone"]);
        assert_eq!(candidates[0].planned, Planned::Listed);
        assert_eq!(candidates[3].planned, Planned::Reported);
        assert_eq!(why_not_believed(&read.ended, &Masker::new([])), None, "its tests say it all");
    }

    #[test]
    fn a_run_that_no_cycle_would_believe_shows_nothing() {
        let ended = |outcome, exit, cases, failing| {
            let mut ended = super::ended(&testing::command(), step(outcome, exit), Left::default());
            (ended.left.cases, ended.left.failing, ended.left.complete) = (cases, failing, true);
            let text = "some\nno such key: hunter2-secret\n\n".to_owned();
            ended.output = Some(Excerpt { bytes: text.len() as u64, cut: false, text });
            let masker = Masker::new(["hunter2-secret".to_owned()]);
            why_not_believed(&ended, &masker)
        };
        assert_eq!(ended(PhaseOutcome::Passed, Some(0), 3, 0), None);
        assert_eq!(ended(PhaseOutcome::Failed, Some(1), 3, 1), None);
        for (outcome, exit, cases) in [
            (PhaseOutcome::Passed, Some(0), 0),
            (PhaseOutcome::Failed, Some(127), 0),
            (PhaseOutcome::Failed, Some(1), 3),
            (PhaseOutcome::TimedOut, None, 3),
            (PhaseOutcome::Errored, None, 0),
        ] {
            let why = ended(outcome, exit, cases, 0).unwrap();
            assert!(why.contains("no such key") && !why.contains("hunter2"), "{why}");
        }
    }
}
