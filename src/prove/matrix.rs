//! What the findings add up to: cases × faults, the share that is detected, and which cases are vacuous.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::Fault;
use super::command::{CommandProof, NotLed, Partly};
use crate::domain::names::CaseId;

/// What became of a case under one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It failed, as it should.
    Detected,
    /// It passed.
    Missed,
    /// It need not notice, or could not be tried; with the reason.
    NotApplicable(String),
}

impl Shown {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Missed => "missed",
            Self::NotApplicable(_) => "not_applicable",
        }
    }
}

/// What was shown of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseProof {
    /// The case.
    pub id: CaseId,
    /// What became of it, in the order of [`Fault::ALL`].
    pub shown: Vec<(Fault, Shown)>,
    /// The steps that a missed fault struck alone and that did not notice, by name.
    pub unnoticed: Vec<(Fault, Vec<String>)>,
    /// Why nothing was shown: no ideal service could be made up for it, or it does not pass with the real one.
    pub not_tried: Option<String>,
}

impl CaseProof {
    /// Of a case of which nothing could be shown.
    pub fn not_tried(id: CaseId, why: String) -> Self {
        let nothing = || Shown::NotApplicable("nothing was tried".to_owned());
        let shown = Fault::ALL.map(|fault| (fault, nothing())).to_vec();
        Self { id, shown, unnoticed: Vec::new(), not_tried: Some(why) }
    }

    /// The faults that it misses.
    pub fn missed(&self) -> impl Iterator<Item = Fault> {
        self.shown.iter().filter(|(_, shown)| *shown == Shown::Missed).map(|(fault, _)| *fault)
    }

    /// The steps that did not notice a fault, where it struck them alone.
    pub fn unnoticed_at(&self, fault: Fault) -> &[String] {
        let found = self.unnoticed.iter().find(|(of, _)| *of == fault);
        found.map_or(&[], |(_, steps)| steps)
    }

    /// Whether it misses a fault without which nobody can trust it.
    pub fn is_vacuous(&self) -> bool {
        self.missed().any(Fault::makes_vacuous)
    }
}

/// What was shown of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Its native cases, in the order written, then those of its commands.
    pub cases: Vec<CaseProof>,
    /// Its commands.
    pub commands: Vec<CommandProof>,
}

impl Proof {
    /// The cases that cannot be trusted to fail.
    pub fn vacuous(&self) -> impl Iterator<Item = &CaseId> {
        self.cases.iter().filter(|case| case.is_vacuous()).map(|case| &case.id)
    }

    /// How many faults were detected, all cases together.
    pub fn detected(&self) -> usize {
        self.count(|shown| *shown == Shown::Detected)
    }

    /// How many should have been.
    pub fn applicable(&self) -> usize {
        self.count(|shown| !matches!(shown, Shown::NotApplicable(_)))
    }

    fn count(&self, is: impl Fn(&Shown) -> bool) -> usize {
        self.cases.iter().flat_map(|case| &case.shown).filter(|(_, shown)| is(shown)).count()
    }

    /// The form of SPEC section 10.
    pub fn json(&self) -> MatrixJson<'_> {
        let not_tried = |case: &&CaseProof| case.not_tried.is_some();
        let commands = || self.commands.iter();
        MatrixJson {
            cases: self.cases.iter().map(CaseJson::of).collect(),
            vacuous: self.vacuous().collect(),
            detected: self.detected(),
            applicable: self.applicable(),
            not_tried: self.cases.iter().filter(not_tried).map(NotTriedJson::of).collect(),
            commands_not_tried: commands()
                .filter(|command| command.not_tried.is_some())
                .map(|command| command.name.as_str())
                .collect(),
            commands: commands().map(CommandJson::of).collect(),
        }
    }
}

/// A proof as JSON.
#[derive(Debug, Serialize)]
pub struct MatrixJson<'a> {
    cases: Vec<CaseJson<'a>>,
    vacuous: Vec<&'a CaseId>,
    detected: usize,
    applicable: usize,
    not_tried: Vec<NotTriedJson<'a>>,
    commands_not_tried: Vec<&'a str>,
    commands: Vec<CommandJson<'a>>,
}

/// A command: why it was not tried, or which faults could not be tried on it, each with the reason.
#[derive(Debug, Serialize)]
struct CommandJson<'a> {
    name: &'a str,
    cases: usize,
    not_tried: Option<&'a str>,
    not_applicable: ReasonsJson<'a>,
    not_applicable_to_some: Vec<PartlyJson<'a>>,
    not_led: Vec<NotLedJson<'a>>,
}

/// Cases on which a fault was not tried that was tried on others.
#[derive(Debug, Serialize)]
struct PartlyJson<'a> {
    fault: &'static str,
    cases: usize,
    reason: &'a str,
}

/// A variable by which a command may go past the proxy.
#[derive(Debug, Serialize)]
struct NotLedJson<'a> {
    variable: &'a str,
    reason: &'a str,
}

impl<'a> CommandJson<'a> {
    fn of(command: &'a CommandProof) -> Self {
        Self {
            name: &command.name,
            cases: command.cases,
            not_tried: command.not_tried.as_deref(),
            not_applicable: ReasonsJson(&command.not_applicable),
            not_applicable_to_some: command.partly.iter().map(PartlyJson::of).collect(),
            not_led: command.not_led.iter().map(NotLedJson::of).collect(),
        }
    }
}

impl<'a> PartlyJson<'a> {
    fn of(partly: &'a Partly) -> Self {
        Self { fault: partly.fault.name(), cases: partly.cases, reason: &partly.why }
    }
}

impl<'a> NotLedJson<'a> {
    fn of(not_led: &'a NotLed) -> Self {
        Self { variable: &not_led.variable, reason: &not_led.why }
    }
}

/// Reasons, by fault.
#[derive(Debug)]
struct ReasonsJson<'a>(&'a [(Fault, String)]);

impl Serialize for ReasonsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(fault, why)| (fault.name(), why)))
    }
}

#[derive(Debug, Serialize)]
struct CaseJson<'a> {
    id: &'a CaseId,
    faults: FaultsJson<'a>,
    #[serde(skip_serializing_if = "UnnoticedJson::is_empty")]
    unnoticed: UnnoticedJson<'a>,
}

impl<'a> CaseJson<'a> {
    fn of(case: &'a CaseProof) -> Self {
        Self {
            id: &case.id,
            faults: FaultsJson(&case.shown),
            unnoticed: UnnoticedJson(&case.unnoticed),
        }
    }
}

#[derive(Debug)]
struct FaultsJson<'a>(&'a [(Fault, Shown)]);

impl Serialize for FaultsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (fault, shown) in self.0 {
            map.serialize_entry(fault.name(), shown.name())?;
        }
        map.end()
    }
}

/// The steps that did not notice, by fault.
#[derive(Debug)]
struct UnnoticedJson<'a>(&'a [(Fault, Vec<String>)]);

impl UnnoticedJson<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for UnnoticedJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(fault, steps)| (fault.name(), steps)))
    }
}

#[derive(Debug, Serialize)]
struct NotTriedJson<'a> {
    id: &'a CaseId,
    reason: &'a str,
}

impl<'a> NotTriedJson<'a> {
    fn of(case: &'a CaseProof) -> Self {
        Self { id: &case.id, reason: case.not_tried.as_deref().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn case(id: &str, missed: &[Fault]) -> CaseProof {
        let shown = |fault: Fault| match fault {
            fault if missed.contains(&fault) => Shown::Missed,
            Fault::Slow => Shown::NotApplicable("no limit".to_owned()),
            _ => Shown::Detected,
        };
        let shown = Fault::ALL.map(|fault| (fault, shown(fault))).to_vec();
        CaseProof { id: CaseId::parse(id).unwrap(), shown, unnoticed: Vec::new(), not_tried: None }
    }

    #[test]
    fn the_figures_are_counted_from_the_cells() {
        let cases = vec![case("a", &[]), case("b", &[Fault::Status500, Fault::Stale])];
        let tried = CommandProof {
            name: "go".to_owned(),
            cases: 1,
            not_tried: None,
            not_applicable: vec![(Fault::Status500, "TLS".to_owned())],
            partly: vec![Partly { fault: Fault::EmptyJson, cases: 2, why: "no JSON".to_owned() }],
            not_led: vec![NotLed { variable: "WS".to_owned(), why: "no scheme".to_owned() }],
        };
        let commands = vec![CommandProof::not_tried("pytest", 0, "no proxy".to_owned()), tried];
        let proof = Proof { cases, commands };
        let json = serde_json::to_value(proof.json()).unwrap();
        assert_eq!(json["vacuous"], json!(["b"]));
        assert_eq!((&json["detected"], &json["applicable"]), (&json!(18), &json!(20)));
        assert_eq!(json["cases"][1]["faults"]["status_500"], json!("missed"));
        assert_eq!(json["cases"][1]["faults"]["slow"], json!("not_applicable"));
        assert_eq!(json["cases"][0]["faults"].as_object().unwrap().len(), 11);
        assert_eq!(json["commands_not_tried"], json!(["pytest"]));
        let untried = json!({
            "name": "pytest", "cases": 0, "not_tried": "no proxy", "not_applicable": {},
            "not_applicable_to_some": [], "not_led": [],
        });
        assert_eq!(json["commands"][0], untried);
        assert_eq!(json["commands"][1]["not_applicable"], json!({ "status_500": "TLS" }));
        let partly = json!([{ "fault": "empty_json", "cases": 2, "reason": "no JSON" }]);
        assert_eq!(json["commands"][1]["not_applicable_to_some"], partly);
        let not_led = json!([{ "variable": "WS", "reason": "no scheme" }]);
        assert_eq!(json["commands"][1]["not_led"], not_led);
    }

    #[test]
    fn three_faults_make_a_case_vacuous() {
        let vacuous = |fault: Fault| case("a", &[fault]).is_vacuous();
        let found: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| vacuous(*fault)).collect();
        assert_eq!(found, [Fault::Status500, Fault::Refused, Fault::EventsMissing]);
    }
}
