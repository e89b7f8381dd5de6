//! Under which ids the tests of a command are known in a cycle: each test its own, whatever a tool
//! reports twice, whatever looks alike once secrets are masked, and whatever else in the suite is so called.
//! Pure: the same list and results, read again after a crash, give the same ids.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::listed::{Listed, id_of_listed};
use crate::domain::identity::{Place, fit, normalised, numbered, unnumbered};
use crate::domain::names::CaseId;
use crate::domain::redact::Masker;
use crate::domain::state::CycleState;
use crate::ingest::{Entry, Run};

/// The ids of the tests of one command.
pub struct Names {
    foreign: HashSet<CaseId>,
    command: String,
    masker: Masker,
}

/// A reported test, named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<'a> {
    /// Its id in the cycle.
    pub id: CaseId,
    /// The id that its tool's results lead to. It may hold secrets.
    pub own: String,
    /// How it was listed, if it was.
    pub listed: Option<&'a str>,
}

impl Names {
    /// In a cycle as far as it is known: what is planned already and not of this command is foreign.
    pub fn of(state: &CycleState, command: &str, masker: &Masker) -> Self {
        let foreign =
            state.planned().iter().filter(|case| case.command.as_deref() != Some(command));
        Self::beside(foreign.map(|case| case.id.clone()).collect(), command, masker)
    }

    /// Beside other cases of the suite.
    pub fn beside(foreign: HashSet<CaseId>, command: &str, masker: &Masker) -> Self {
        Self { foreign, command: command.to_owned(), masker: masker.clone() }
    }

    /// The id of a listed test.
    pub fn of_listed(&self, listed: &str) -> CaseId {
        self.case_id(self.masker.mask(&id_of_listed(listed)))
    }

    /// The id by which the tool itself knows a case of this name: without what was added to keep it apart.
    pub fn own_of<'a>(&self, id: &'a CaseId, name: &str) -> &'a str {
        let id = unnumbered(id.as_str(), name);
        let rest = id.strip_prefix('[').and_then(|rest| rest.strip_prefix(&*self.command));
        let own = rest.and_then(|rest| rest.strip_prefix("] "));
        let is_foreign = |own: &&str| {
            CaseId::parse(own).is_ok_and(|own| own.is_of_command() || self.foreign.contains(&own))
        };
        own.filter(is_foreign).unwrap_or(id)
    }

    /// Names all tests of a run, in the order of its entries. A test that is listed under its id comes
    /// before one that only has the name, and no two have one id.
    pub fn of_reported<'l>(&self, run: &Run, listed: &Listed<'l>) -> Vec<Named<'l>> {
        let mut namesakes = Numbers::default();
        let own: Vec<String> = run
            .entries()
            .iter()
            .map(|entry| {
                let place = &run.places()[run.place_of(entry) as usize];
                namesakes.number(place.id_of(&normalised(run.name_of(entry))))
            })
            .collect();
        let mut claimed: HashSet<&str> = own.iter().filter_map(|own| listed.by_id(own)).collect();
        let mut masked = HashMap::new();
        let mut taken = HashSet::new();
        let mut alike = Numbers::default();
        let named = run.entries().iter().zip(own).map(|(entry, own)| {
            let by_name = || {
                let found = listed.by_name(run.name_of(entry))?;
                claimed.insert(found).then_some(found)
            };
            let found = listed.by_id(&own).or_else(by_name);
            let wanted = match found {
                Some(found) => self.of_listed(found),
                None => self.case_id(self.shown(run, entry, &mut masked)),
            };
            let mut id = wanted.clone();
            while !taken.insert(id.clone()) {
                id = self.case_id(alike.number(wanted.to_string()));
            }
            Named { id, own, listed: found }
        });
        named.collect()
    }

    /// The id that results lead to, without secrets: masked before it is cut, since half a secret is
    /// not known again.
    fn shown(&self, run: &Run, entry: &Entry, places: &mut HashMap<u32, Place>) -> String {
        let index = run.place_of(entry);
        let place = places.entry(index).or_insert_with(|| {
            let Place { suite, classname, project } = &run.places()[index as usize];
            let mask = |text: &Arc<str>| Arc::from(self.masker.mask(text));
            Place {
                suite: suite.iter().map(|name| self.masker.mask(name).into_boxed_str()).collect(),
                classname: classname.as_ref().map(mask),
                project: project.as_ref().map(mask),
            }
        });
        place.id_of(&normalised(&self.masker.mask(run.name_of(entry))))
    }

    /// A text without secrets as an id, apart from what else of the suite is so called.
    fn case_id(&self, shown: String) -> CaseId {
        let apart = format!("[{}] {shown}", self.command);
        let own = id_from_outside(shown);
        if !self.foreign.contains(&own) && !own.is_of_command() {
            return own;
        }
        id_from_outside(apart)
    }
}

fn id_from_outside(id: String) -> CaseId {
    let id = if id.is_empty() { "(no name)".to_owned() } else { id };
    CaseId::parse(&fit(id)).expect("what is fitted is an id")
}

/// How often a text came so far.
#[derive(Default)]
struct Numbers(HashMap<String, u32>);

impl Numbers {
    /// The text, from the second time on with its number.
    fn number(&mut self, text: String) -> String {
        let number = self.0.entry(text.clone()).or_default();
        *number += 1;
        numbered(&text, *number)
    }
}

#[cfg(test)]
mod tests;
