//! Which rows of a grid a reader wants, as it stands in the address.

use serde::{Deserialize, Serialize};

use super::is_failing;
use crate::domain::event::PlannedCase;
use crate::domain::outcome::{Change, Outcome};
use crate::store::CaseRuns;
use crate::web::pages::filters::{Choice, take_unknown, wanted, words_of};

/// What can be asked of the outcomes of a case: of its last one, or of all.
pub(super) const OUTCOMES: [Choice; 10] = [
    ("", "all"),
    ("failing", "failing now"),
    ("passed", "last passed"),
    ("failed", "last failed"),
    ("errored", "last errored"),
    ("flaky", "last flaky"),
    ("skipped", "last skipped"),
    ("not_run", "last not run"),
    ("ever_failing", "ever failing here"),
    ("ever_flaky", "ever flaky here"),
];

/// Which rows a reader wants, as it stands in the address.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(in crate::web::pages) struct Asked {
    pub(super) find: String,
    pub(super) area: String,
    pub(super) priority: String,
    pub(super) outcome: String,
    pub(super) change: String,
}

impl Asked {
    /// Takes back what is no choice of the page, and says so.
    pub(super) fn without_unknown(
        &mut self,
        areas: &[String],
        priorities: &[String],
    ) -> Vec<String> {
        let outcomes = OUTCOMES.iter().map(|(value, _)| *value);
        let said = [
            take_unknown("area", &mut self.area, areas.iter().map(String::as_str)),
            take_unknown("priority", &mut self.priority, priorities.iter().map(String::as_str)),
            take_unknown("outcome", &mut self.outcome, outcomes),
            take_unknown("change", &mut self.change, Change::ALL.iter().map(|it| it.as_str())),
        ];
        said.into_iter().flatten().collect()
    }

    pub(super) fn wanted(&self) -> String {
        let choices = [
            ("area", &*self.area),
            ("priority", &*self.priority),
            ("outcome", words_of(&OUTCOMES, &self.outcome)),
            ("change", &*self.change),
        ];
        wanted(&self.find, &choices)
    }

    pub(super) fn fits(&self, runs: &CaseRuns, plan: Option<&PlannedCase>) -> bool {
        let is = |wanted: &str, has: Option<&str>| wanted.is_empty() || has == Some(wanted);
        let priority = plan.map(|plan| plan.priority.to_string());
        is(&self.area, plan.and_then(|plan| plan.area.as_deref()))
            && is(&self.priority, priority.as_deref())
            && is(&self.change, runs.change.map(Change::as_str))
            && self.fits_outcome(runs)
            && self.finds(runs, plan)
    }

    fn fits_outcome(&self, runs: &CaseRuns) -> bool {
        let mut came = runs.outcomes.iter().flatten();
        match self.outcome.as_str() {
            "" => true,
            "failing" => is_failing(runs),
            "ever_failing" => came.any(|outcome| outcome.is_failing()),
            "ever_flaky" => came.any(|outcome| *outcome == Outcome::Flaky),
            word => came.next_back().is_some_and(|outcome| outcome.as_str() == word),
        }
    }

    fn finds(&self, runs: &CaseRuns, plan: Option<&PlannedCase>) -> bool {
        let wanted = self.find.trim().to_lowercase();
        let of = |of: fn(&PlannedCase) -> Option<&str>| plan.and_then(of);
        let texts = [
            Some(runs.case.as_str()),
            of(|plan| plan.area.as_deref()),
            of(|plan| plan.owner.as_deref()),
        ];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&wanted))
    }
}
