//! A comparison as JSON, in the words of SPEC section 7.
//!
//! What it must not do: leave a case out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::side::RunRead;
use super::{Comparison, outcome_of};
use crate::compare::{Extent, Match};
use crate::domain::outcome::{Change, Outcome};

/// The whole.
#[derive(Debug, Serialize)]
pub(super) struct Form {
    a: RunForm,
    b: RunForm,
    counts: BTreeMap<&'static str, u64>,
    new_troubles: Vec<String>,
    changes: BTreeMap<&'static str, Vec<String>>,
    cases: Vec<CaseForm>,
}

#[derive(Debug, Serialize)]
struct RunForm {
    path: String,
    files: usize,
    complete: bool,
    cases: u64,
    passed: u64,
    failed: u64,
    errored: u64,
    skipped: u64,
    flaky: u64,
    troubles: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CaseForm {
    id: String,
    suite: Vec<Box<str>>,
    classname: Option<String>,
    name: String,
    file: Option<String>,
    change: Change,
    was: Option<Outcome>,
    is: Option<Outcome>,
    duration_ms: Option<u32>,
    elements: u32,
    message: Option<String>,
    renamed_from: Option<String>,
}

impl Form {
    pub(super) fn of(comparison: &Comparison<'_>) -> Self {
        let count = |change: &Change| (change.as_str(), comparison.counts.get(*change));
        let ids = |change: &Change| {
            let ids = comparison.of(*change).map(|one| comparison.id(one)).collect();
            (change.as_str(), ids)
        };
        Self {
            a: RunForm::of(comparison.before),
            b: RunForm::of(comparison.now),
            counts: Change::ALL.iter().map(count).collect(),
            new_troubles: comparison.new_troubles.iter().map(|what| (*what).to_owned()).collect(),
            changes: Change::ALL.iter().map(ids).collect(),
            cases: cases(comparison),
        }
    }
}

fn cases(comparison: &Comparison<'_>) -> Vec<CaseForm> {
    let form = |one| {
        let (was, is) = comparison.entries(one);
        let (run, entry) = match (was, is) {
            (_, Some(is)) => (&comparison.now.run, is),
            (Some(was), None) => (&comparison.before.run, was),
            (None, None) => return None,
        };
        let place = &run.places()[run.place_of(entry) as usize];
        let message = comparison.message(one);
        let renamed = was.filter(|_| one.matched == Match::Alike);
        Some(CaseForm {
            id: comparison.id(one),
            suite: place.suite.to_vec(),
            classname: place.classname.as_deref().map(str::to_owned),
            name: run.name_of(entry).to_owned(),
            file: run.file_of(entry).map(str::to_owned),
            change: one.change,
            was: outcome_of(was),
            is: outcome_of(is),
            duration_ms: entry.duration_ms,
            elements: entry.elements,
            message: (!message.is_empty()).then(|| message.to_owned()),
            renamed_from: renamed.map(|was| comparison.before.run.id_of(was)),
        })
    };
    comparison.compared.iter().filter_map(form).collect()
}

impl RunForm {
    fn of(run: &RunRead) -> Self {
        Self {
            path: run.name.clone(),
            files: run.files,
            complete: run.extent == Extent::Whole,
            cases: run.totals.cases,
            passed: run.totals.passed,
            failed: run.totals.failed,
            errored: run.totals.errored,
            skipped: run.totals.skipped,
            flaky: run.totals.flaky,
            troubles: run.troubles.clone(),
            warnings: run.remarks.clone(),
        }
    }
}
