//! `GET /pipelines/{pipeline}/cases/{case}`: the history of a case.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde::Serialize;

use super::frame::Frame;
use super::plot::plot;
use super::quarantine::{Asked, Proposal, proposal};
use super::template;
use crate::domain::names::CaseId;
use crate::store::InvestigationRow;
use crate::web::api::pipelines::history_of_case;
use crate::web::call::{Answer, Call};
use crate::web::forms::CaseForm;
use crate::web::problem::Problem;

/// So many cycles.
const CYCLES: u32 = 200;

#[derive(Serialize)]
struct Page {
    href: String,
    case: CaseForm,
    plot: minijinja::Value,
    /// The cycles in which its definition changed, each with the one that had another before.
    changed_since: BTreeMap<u32, u32>,
    /// The cycles whose definition cannot be read.
    unreadable: BTreeSet<u32>,
    /// Before this cycle no definition was looked at.
    looked_back_to: Option<u32>,
    failures: Vec<Failed>,
    /// For a case of a pipeline that is served.
    quarantine: Option<Proposal>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Failed {
    fingerprint: String,
    times: usize,
    /// The first and the last of the cycles that are looked at.
    first: u32,
    last: u32,
    /// Where it is asked why; for one of which the records hold an investigation.
    investigation: Option<Asks>,
}

/// The investigation of a failure.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Asks {
    id: String,
    about: String,
    state: &'static str,
}

/// `GET /pipelines/{pipeline}/cases/{case}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let (case, definitions) = history_of_case(&call, CYCLES).await?;
    let quarantine = quarantine(&call, &case)?;
    let name = call.pipeline().await?;
    let investigations = call.site.store().list_investigations(Some(&name)).await?;
    let href = format!("/pipelines/{}", case.pipeline);
    let frame =
        Frame::of(&call, case.case.clone()).under(&[(&case.pipeline, &href), (&case.case, "")]);
    let own = Page {
        href,
        plot: minijinja::Value::from_safe_string(plot(&case.cycles)),
        failures: failures(&case, &investigations),
        changed_since: definitions.changes(),
        unreadable: definitions.unreadable,
        looked_back_to: definitions.looked_back_to,
        quarantine,
        case,
    };
    Ok(template::page(StatusCode::OK, "case.html", &frame, &own))
}

fn quarantine(call: &Call, case: &CaseForm) -> Result<Option<Proposal>, Problem> {
    let asked: Asked = call.query()?;
    let pipelines = call.site.handle().pipelines();
    let served = pipelines.iter().find(|(name, _)| name.as_str() == case.pipeline);
    let suite = served.and_then(|(_, served)| served.pipeline.suite.as_deref());
    let Some((suite, id)) = suite.zip(CaseId::parse(&case.case).ok()) else { return Ok(None) };
    let today = jiff::tz::TimeZone::UTC.to_datetime(call.site.now()).date();
    Ok(Some(proposal(&id, &asked, &suite.quarantine, today)))
}

/// What it failed with, the most frequent first.
fn failures(case: &CaseForm, investigations: &[InvestigationRow]) -> Vec<Failed> {
    let mut cycles: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for row in &case.cycles {
        if let Some(fingerprint) = &row.fingerprint {
            cycles.entry(fingerprint).or_default().push(row.cycle);
        }
    }
    let failed = |(fingerprint, cycles): (&str, Vec<u32>)| {
        let (first, last) = (cycles.iter().min()?, cycles.iter().max()?);
        let asks = investigations.iter().find(|row| row.fingerprint.as_str() == fingerprint);
        Some(Failed {
            fingerprint: fingerprint.to_owned(),
            times: cycles.len(),
            first: *first,
            last: *last,
            investigation: asks.map(|row| Asks {
                id: row.id.to_string(),
                about: row.about(),
                state: row.state.as_str(),
            }),
        })
    };
    let mut failures: Vec<Failed> = cycles.into_iter().filter_map(failed).collect();
    failures.sort_by_key(|failed| std::cmp::Reverse(failed.times));
    failures
}

/// An id of a case as the end of an address: its slashes stay, everything else that an address could
/// take for its own is escaped.
pub(super) fn in_address(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::findings::InvestigationState;
    use crate::domain::names::{Fingerprint, InvestigationId, PipelineName};
    use crate::web::forms::CaseRowForm;

    #[test]
    fn a_failure_is_told_with_its_investigation_and_its_cycles() {
        let ran = |cycle: u32, fingerprint: Option<&str>| CaseRowForm {
            cycle,
            environment: "staging".to_owned(),
            verdict: None,
            revision: None,
            started_at: String::new(),
            outcome: None,
            change: None,
            duration_ms: 1,
            attempts: 1,
            fingerprint: fingerprint.map(str::to_owned),
            definition_changed: None,
            asked_by_search_of: None,
        };
        let case = CaseForm {
            pipeline: "chat".to_owned(),
            case: "test_001".to_owned(),
            cycles: vec![
                ran(9, Some("v1-bb")),
                ran(7, Some("v1-aa")),
                ran(5, None),
                ran(2, Some("v1-aa")),
            ],
        };
        let row = InvestigationRow {
            pipeline: PipelineName::parse("chat").unwrap(),
            id: InvestigationId::from_number(3),
            fingerprint: Fingerprint::new(1, "aa"),
            slug: "get-one".to_owned(),
            state: InvestigationState::FixClaimed,
            opened_in: 2,
            reopened_in: None,
            last_seen: 7,
        };
        let asks =
            Asks { id: "INV-0003".to_owned(), about: "get one".to_owned(), state: "fix_claimed" };
        let failed = |fingerprint: &str, times, first, last, investigation| Failed {
            fingerprint: fingerprint.to_owned(),
            times,
            first,
            last,
            investigation,
        };
        let expected = [failed("v1-aa", 2, 2, 7, Some(asks)), failed("v1-bb", 1, 9, 9, None)];
        assert_eq!(failures(&case, &[row]), expected);
    }

    #[test]
    fn an_id_stands_in_an_address_whole() {
        assert_eq!(in_address("test_001_health"), "test_001_health");
        assert_eq!(
            in_address("e2e::chat/späte antwort?#"),
            "e2e%3A%3Achat/sp%C3%A4te%20antwort%3F%23"
        );
    }
}
