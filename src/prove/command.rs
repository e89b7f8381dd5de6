//! What the runs of a suite command add up to: one with the real service, then one for each fault.
//!
//! | under a fault the case | and the command | it is |
//! |---|---|---|
//! | passed, at once or after a failure | whatever | missed |
//! | failed, or is errored | whatever | detected |
//! | is not in the results | another case failed in it | not applicable: the command may have ended before it |
//! | was skipped, or is not in the results | failed, was ended, or reported nothing | detected |
//! | was skipped | passed | missed: a cycle with a skipped case is green |
//! | is not in the results, and was listed | passed | detected: it is `not_run` in a cycle |
//! | is not in the results, and was not listed | passed | missed: nobody misses it |

use std::time::Duration;

use super::Fault;
use super::applies::Applies;
use super::matrix::{CaseProof, Shown};
use super::traffic::{CaseUse, IsService, Traffic};
use crate::domain::names::CaseId;

/// What a run says of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It passed, at once or after a failure.
    Passed,
    /// It failed or is errored, and why.
    Failing(String),
    /// It was skipped.
    Skipped,
    /// Nothing.
    Nothing,
}

/// How the command of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEnd {
    /// With exit code 0, results, and none of them failing.
    Passed,
    /// With a failing case among its results: it may have ended at that one.
    FailedByCase,
    /// Otherwise.
    Failed,
}

/// Whether `list` named a case before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It did: a case without a result is `not_run` in a cycle.
    Listed,
    /// It did not: a case without a result is unknown.
    Reported,
}

/// What became of a case under a fault.
fn judge_told(told: &Told, end: CommandEnd, planned: Planned) -> Shown {
    match (told, end, planned) {
        (Told::Passed, _, _) => Shown::Missed,
        (Told::Failing(_), _, _) => Shown::Detected,
        (Told::Nothing, CommandEnd::FailedByCase, _) => Shown::NotApplicable(
            "its command had a failing case, and may have ended at that".into(),
        ),
        (Told::Skipped, CommandEnd::Failed | CommandEnd::FailedByCase, _)
        | (Told::Nothing, CommandEnd::Failed, _) => Shown::Detected,
        (Told::Skipped, CommandEnd::Passed, _) => Shown::Missed,
        (Told::Nothing, CommandEnd::Passed, Planned::Listed) => Shown::Detected,
        (Told::Nothing, CommandEnd::Passed, Planned::Reported) => Shown::Missed,
    }
}

/// Why a case cannot be tried, by what it did with the real service.
fn why_not_tried(told: &Told) -> Option<String> {
    match told {
        Told::Passed => None,
        Told::Failing(why) => Some(format!("it fails with the real service: {why}")),
        Told::Skipped => Some("it is skipped with the real service".to_owned()),
        Told::Nothing => Some("it is listed, and not in the results with the real service".into()),
    }
}

/// What was shown of a command as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandProof {
    /// Its name.
    pub name: String,
    /// How many of the cases are its.
    pub cases: usize,
    /// Why none of them was tried.
    pub not_tried: Option<String>,
    /// The faults that could not be tried on any of its cases, and why.
    pub not_applicable: Vec<(Fault, String)>,
    /// The faults that were tried on some of its cases alone, and why not on the others.
    pub partly: Vec<Partly>,
    /// Its variables that say where the service is and do not lead to the proxy.
    pub not_led: Vec<NotLed>,
}

/// Cases of a command on which a fault was not tried that was tried on others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partly {
    /// The fault.
    pub fault: Fault,
    /// How many cases.
    pub cases: usize,
    /// Why.
    pub why: String,
}

/// A variable by which a command may go past the proxy. Its value is nobody's business: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLed {
    /// Its name.
    pub variable: String,
    /// Why it is left as it is, and what to do about it.
    pub why: String,
}

impl CommandProof {
    /// Of a command of which nothing was tried.
    pub fn not_tried(name: &str, cases: usize, why: String) -> Self {
        let name = name.to_owned();
        Self {
            name,
            cases,
            not_tried: Some(why),
            not_applicable: Vec::new(),
            partly: Vec::new(),
            not_led: Vec::new(),
        }
    }
}

/// One case of a command, before any fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The case.
    pub id: CaseId,
    /// What it did with the real service.
    pub told: Told,
    /// Whether it was listed.
    pub planned: Planned,
    /// What it is known to have used.
    pub used: CaseUse,
}

/// What is to be tried on a command, and what was shown so far.
#[derive(Debug)]
pub struct CommandTrial {
    name: String,
    candidates: Vec<Candidate>,
    /// Faults that cannot be tried on the command as a whole.
    not_applicable: Vec<(Fault, String)>,
    /// What became of each candidate under each fault that was tried.
    shown: Vec<(Fault, Vec<Shown>)>,
}

impl CommandTrial {
    /// A command by its cases, and what went through its proxy with the real service.
    pub fn of(
        name: &str,
        candidates: Vec<Candidate>,
        traffic: &Traffic,
        is_service: IsService<'_>,
    ) -> Self {
        let why_not = |fault: Fault| match traffic.applies(fault, is_service) {
            Applies::Yes => None,
            Applies::No(why) => Some((fault, why.to_owned())),
        };
        let not_applicable = Fault::ALL.into_iter().filter_map(why_not).collect();
        Self { name: name.to_owned(), candidates, not_applicable, shown: Vec::new() }
    }

    /// The faults for which the command must run once more: those that concern a case that can be tried.
    pub fn faults(&self) -> Vec<Fault> {
        let concerns = |fault: &Fault| {
            let mut tried = self.candidates.iter().filter(|case| case.told == Told::Passed);
            tried.any(|case| self.why_not(case, *fault).is_none())
        };
        ORDER.into_iter().filter(concerns).collect()
    }

    /// Takes in what a run under a fault says: of each case, and of its command.
    pub fn take(&mut self, fault: Fault, end: CommandEnd, told: impl Fn(&CaseId) -> Told) {
        let judge = |case: &Candidate| judge_told(&told(&case.id), end, case.planned);
        let shown = self.candidates.iter().map(judge).collect();
        self.shown.push((fault, shown));
    }

    /// What all runs add up to.
    pub fn conclude(self) -> (CommandProof, Vec<CaseProof>) {
        let cases = self.candidates.iter().enumerate();
        let cases: Vec<CaseProof> = cases.map(|(place, case)| self.proof_of(place, case)).collect();
        let (mut not_applicable, mut partly) = (self.not_applicable, Vec::new());
        for fault in Fault::ALL {
            if not_applicable.iter().all(|(of, _)| *of != fault) {
                match reasons(&cases, fault) {
                    Reasons::OfAll(why) => not_applicable.push((fault, why)),
                    Reasons::OfSome(of_some) => partly.extend(of_some),
                }
            }
        }
        not_applicable.sort_by_key(|(fault, _)| *fault);
        let proof = CommandProof {
            name: self.name,
            cases: self.candidates.len(),
            not_tried: None,
            not_applicable,
            partly,
            not_led: Vec::new(),
        };
        (proof, cases)
    }

    fn proof_of(&self, place: usize, case: &Candidate) -> CaseProof {
        if let Some(why) = why_not_tried(&case.told) {
            return CaseProof::not_tried(case.id.clone(), why);
        }
        let shown = Fault::ALL.map(|fault| {
            let run = self.shown.iter().find(|(of, _)| *of == fault);
            let shown = match (self.why_not(case, fault), run) {
                (Some(why), _) => Shown::NotApplicable(why),
                (None, Some((_, shown))) => shown[place].clone(),
                (None, None) => Shown::NotApplicable("it was not run under this fault".to_owned()),
            };
            (fault, shown)
        });
        CaseProof {
            id: case.id.clone(),
            shown: shown.to_vec(),
            unnoticed: Vec::new(),
            not_tried: None,
        }
    }

    /// Why a fault does not concern a case, if so.
    fn why_not(&self, case: &Candidate, fault: Fault) -> Option<String> {
        let of_command = self.not_applicable.iter().find(|(of, _)| *of == fault);
        match (of_command, case.used.applies(fault)) {
            (Some((_, why)), _) => Some(why.clone()),
            (None, Applies::No(why)) => Some(why.to_owned()),
            (None, Applies::Yes) => None,
        }
    }
}

/// How long the runs under these faults may take, by how long those before them took. Who gets no answer waits
/// until its patience is over.
pub fn time_left(took: &[Duration], faults: &[Fault], patience: Duration) -> Duration {
    let runs = u32::try_from(took.len()).unwrap_or(u32::MAX).max(1);
    let usual = took.iter().sum::<Duration>() / runs;
    let of = |fault: &Fault| match fault {
        Fault::NoAnswer => patience,
        Fault::Status500
        | Fault::Status404
        | Fault::EmptyJson
        | Fault::Refused
        | Fault::WsClose1011
        | Fault::EventsMissing
        | Fault::EventsReordered
        | Fault::EventsForeign
        | Fault::Slow
        | Fault::Stale => usual.min(patience),
    };
    faults.iter().map(of).sum()
}

/// Why a fault was not tried on cases that can be tried.
enum Reasons {
    /// On none of them.
    OfAll(String),
    /// On these.
    OfSome(Vec<Partly>),
}

fn reasons(cases: &[CaseProof], fault: Fault) -> Reasons {
    let (mut tried, mut found) = (0, Vec::<Partly>::new());
    let could_be = cases.iter().filter(|case| case.not_tried.is_none());
    for (_, shown) in could_be.flat_map(|case| &case.shown).filter(|(of, _)| *of == fault) {
        match shown {
            Shown::Detected | Shown::Missed => tried += 1,
            Shown::NotApplicable(why) => match found.iter_mut().find(|known| known.why == *why) {
                Some(known) => known.cases += 1,
                None => found.push(Partly { fault, cases: 1, why: why.clone() }),
            },
        }
    }
    if tried > 0 || found.is_empty() {
        return Reasons::OfSome(found);
    }
    let whys: Vec<String> = found.into_iter().map(|partly| partly.why).collect();
    Reasons::OfAll(whys.join("; "))
}

/// The order of the runs: the quick ones first, silence last.
const ORDER: [Fault; 11] = [
    Fault::Refused,
    Fault::Status500,
    Fault::Status404,
    Fault::EmptyJson,
    Fault::WsClose1011,
    Fault::EventsMissing,
    Fault::EventsReordered,
    Fault::EventsForeign,
    Fault::Stale,
    Fault::Slow,
    Fault::NoAnswer,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::observed::ConnectionSeen;
    use crate::prove::traffic::{Content, Exchange};
    use jiff::Timestamp;

    fn id(id: &str) -> CaseId {
        CaseId::parse(id).unwrap()
    }

    #[test]
    fn a_case_that_does_not_fail_is_told_apart_by_its_command() {
        use CommandEnd::{Failed, FailedByCase, Passed};
        let unknown = "its command had a failing case, and may have ended at that";
        use Planned::{Listed, Reported};
        let failing = Told::Failing("x".to_owned());
        for (told, end, planned, shown) in [
            (Told::Passed, Failed, Listed, Shown::Missed),
            (Told::Passed, Passed, Reported, Shown::Missed),
            (failing.clone(), Passed, Reported, Shown::Detected),
            (failing, Failed, Listed, Shown::Detected),
            (Told::Skipped, Failed, Reported, Shown::Detected),
            (Told::Skipped, Passed, Listed, Shown::Missed),
            (Told::Skipped, FailedByCase, Reported, Shown::Detected),
            (Told::Nothing, Failed, Reported, Shown::Detected),
            (Told::Nothing, FailedByCase, Listed, Shown::NotApplicable(unknown.to_owned())),
            (Told::Nothing, Passed, Listed, Shown::Detected),
            (Told::Nothing, Passed, Reported, Shown::Missed),
        ] {
            assert_eq!(judge_told(&told, end, planned), shown, "{told:?} {end:?} {planned:?}");
        }
    }

    fn plain() -> Traffic {
        let connection = ConnectionSeen {
            host: "api:80".to_owned(),
            began_at: Timestamp::UNIX_EPOCH,
            ended_at: Timestamp::UNIX_EPOCH,
            bytes_sent: 0,
            bytes_received: 0,
            active: vec![],
        };
        let exchanges = vec![Exchange { connection, content: Content::Plain, status: Some(200) }];
        Traffic { contacts: 1, exchanges, ..Traffic::default() }
    }

    fn trial(told: &[(&str, Told)]) -> CommandTrial {
        let candidate = |(name, told): &(&str, Told)| Candidate {
            id: id(name),
            told: told.clone(),
            planned: Planned::Reported,
            used: CaseUse::default(),
        };
        CommandTrial::of("t", told.iter().map(candidate).collect(), &plain(), &|_| true)
    }

    /// `pytest -x`, `--bail`, `-failfast`.
    #[test]
    fn a_case_behind_the_failing_one_that_ended_the_run_has_noticed_nothing() {
        let mut trial = trial(&[("first", Told::Passed), ("behind", Told::Passed)]);
        trial.take(Fault::Refused, CommandEnd::FailedByCase, |case| match case.as_str() {
            "first" => Told::Failing("refused".to_owned()),
            _ => Told::Nothing,
        });
        trial.take(Fault::Status500, CommandEnd::Failed, |_| Told::Nothing);
        let (proof, cases) = trial.conclude();
        let shown = |case: usize, fault| {
            let mut all = cases[case].shown.iter().filter(|(of, _)| *of == fault);
            all.next().map(|(_, shown)| shown.name())
        };
        assert_eq!(shown(0, Fault::Refused), Some("detected"));
        assert_eq!(shown(1, Fault::Refused), Some("not_applicable"));
        assert_eq!(shown(1, Fault::Status500), Some("detected"), "nothing ran at all");
        // And that is told.
        let [partly] = proof.partly.as_slice() else { panic!("{:?}", proof.partly) };
        assert_eq!((partly.fault, partly.cases), (Fault::Refused, 1));
        assert!(partly.why.contains("may have ended at that"), "{}", partly.why);
    }

    #[test]
    fn only_what_can_be_tried_is_run_and_each_cell_has_its_reason() {
        let failing = Told::Failing("no".to_owned());
        let mut trial = trial(&[("good", Told::Passed), ("bad", Told::Passed), ("red", failing)]);
        let faults = trial.faults();
        let quick = [Fault::Refused, Fault::Status500, Fault::Status404, Fault::NoAnswer];
        assert_eq!(faults, quick);
        for fault in faults {
            let good = |case: &CaseId| match case.as_str() {
                "good" => Told::Failing("refused".to_owned()),
                _ => Told::Passed,
            };
            trial.take(fault, CommandEnd::Failed, good);
        }
        let (proof, cases) = trial.conclude();
        assert_eq!((proof.cases, proof.not_tried), (3, None));
        assert_eq!(proof.not_applicable.len(), 7);
        assert_eq!(cases[0].missed().count(), 0);
        assert!(
            cases[1].is_vacuous()
                && cases[1].missed().eq([
                    Fault::Status500,
                    Fault::Status404,
                    Fault::Refused,
                    Fault::NoAnswer
                ])
        );
        assert!(cases[2].not_tried.as_deref().unwrap().contains("fails with the real service: no"));
        assert!(cases.iter().all(|case| case.shown.len() == Fault::ALL.len()));
    }

    #[test]
    fn where_no_case_passes_nothing_is_run() {
        assert!(trial(&[("skipped", Told::Skipped), ("gone", Told::Nothing)]).faults().is_empty());
    }

    /// Events went through, but nobody knows whose they were.
    #[test]
    fn a_fault_that_concerns_no_single_case_is_told_of_the_command() {
        let mut traffic = plain();
        traffic.exchanges[0].content = Content::Events { any: true, json: false };
        let candidate = |name: &str| Candidate {
            id: id(name),
            told: Told::Passed,
            planned: Planned::Reported,
            used: CaseUse::default(),
        };
        let candidates = vec![candidate("a"), candidate("b")];
        let mut trial = CommandTrial::of("t", candidates, &traffic, &|_| true);
        assert!(!trial.faults().contains(&Fault::EventsMissing));
        for fault in trial.faults() {
            trial.take(fault, CommandEnd::Failed, |_| Told::Failing("x".to_owned()));
        }
        let (proof, _) = trial.conclude();
        let why = proof.not_applicable.iter().find(|(fault, _)| *fault == Fault::EventsMissing);
        assert_eq!(why.unwrap().1, "no events are known to be its own");
        assert_eq!(proof.partly, []);
    }

    #[test]
    fn what_is_left_is_told_by_what_was() {
        let seconds = Duration::from_secs;
        let left = |faults: &[Fault]| time_left(&[seconds(4), seconds(8)], faults, seconds(38));
        assert_eq!(left(&[Fault::Status500, Fault::Status404]), seconds(12));
        assert_eq!(left(&[Fault::Status404, Fault::NoAnswer]), seconds(44));
        assert_eq!(left(&[]), Duration::ZERO);
    }
}
