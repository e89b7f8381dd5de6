//! What a search for the commit came to, in the report of the cycle that ended it: the culprit, how sure
//! that is, and every step.

use super::page::Page;
use super::short;
use crate::domain::escape;
use crate::domain::search::{SearchCause, SearchResult, SearchedFailure, sure};
use crate::report::view::View;
use crate::report::words;

/// At most so many suspects of a failure are named.
const MAX_SUSPECTS: usize = 10;

pub fn write(page: &mut Page, view: &View<'_>) {
    let Some(search) = view.findings.and_then(|findings| findings.search.as_ref()) else { return };
    page.subsection(&format!("Search: what broke cycle {}", search.cycle));
    page.block(&answer(search));
    let rows: Vec<Vec<String>> = search
        .steps
        .iter()
        .map(|step| {
            let cycles: Vec<String> = step.cycles.iter().map(ToString::to_string).collect();
            vec![
                short(&step.revision),
                step.answer.to_string(),
                step.runs.to_string(),
                cycles.join(", "),
            ]
        })
        .collect();
    page.table(&["Deployed", "The worst failure's cases are", "Runs", "Cycles"], &rows);
    let items: Vec<String> = search.failures.iter().skip(1).map(other).collect();
    if !items.is_empty() {
        page.block("The same answers say of the other failures:");
        page.list(&items);
    }
}

fn answer(search: &SearchResult) -> String {
    let deploys = words::count(u64::from(search.deploys), "deploy", "deploys");
    let sure = sure(search.confidence);
    let because = escape::text(&search.because);
    match (&search.culprit, search.cause) {
        (Some(culprit), _) => {
            format!("**Culprit: {}**, {sure}, after {deploys}: {because}.", short(culprit))
        }
        (None, SearchCause::Environment) => {
            format!("**No commit: the environment**, {sure}, after {deploys}: {because}.")
        }
        (None, SearchCause::Code) => {
            let left = search.failures.first().map(suspects).unwrap_or_default();
            format!("**No commit is named**, after {deploys}: {because}. {left}")
        }
    }
}

fn other(failure: &SearchedFailure) -> String {
    let cases: Vec<String> =
        failure.cases.iter().take(5).map(|case| escape::code(case.as_str())).collect();
    let more = more(failure.cases.len().saturating_sub(5));
    let answer = match &failure.culprit {
        Some(culprit) => {
            format!("**culprit {}**, {}", short(culprit), sure(failure.confidence))
        }
        None => format!("**no commit is named**: {}", reason_of(failure)),
    };
    format!("{}{more}: {answer}", cases.join(", "))
}

/// Why no commit is named, and which are left.
fn reason_of(failure: &SearchedFailure) -> String {
    let because = escape::text(&failure.because);
    match failure.is_environment() {
        true => format!("{because}."),
        false => format!("{because}. {}", suspects(failure)),
    }
}

fn suspects(failure: &SearchedFailure) -> String {
    let named: Vec<String> = failure.suspects.iter().take(MAX_SUSPECTS).map(short).collect();
    let more = more(failure.suspects.len().saturating_sub(MAX_SUSPECTS));
    format!("Still possible: {}{more}.", named.join(", "))
}

fn more(left_out: usize) -> String {
    if left_out == 0 { String::new() } else { format!(", … and {left_out} more") }
}
