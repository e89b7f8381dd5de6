//! `GET /pipelines/{pipeline}/cases/{case}`: the history of a case.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::frame::Frame;
use super::plot::plot;
use super::quarantine::{Asked, Proposal, proposal};
use super::template;
use crate::domain::names::CaseId;
use crate::web::api::pipelines::history_of_case;
use crate::web::call::{Answer, Call};
use crate::web::forms::CaseForm;
use crate::web::problem::Problem;

/// So many cycles.
const CYCLES: u32 = 200;
/// Of each failure so many cycles are named.
const NAMED: usize = 12;

#[derive(Serialize)]
struct Page {
    href: String,
    case: CaseForm,
    plot: minijinja::Value,
    /// The cycles in which its definition changed, each with the one that had another before.
    changed_since: BTreeMap<u32, u32>,
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
    cycles: Vec<u32>,
}

/// `GET /pipelines/{pipeline}/cases/{case}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let (case, definitions) = history_of_case(&call, CYCLES).await?;
    let quarantine = quarantine(&call, &case)?;
    let href = format!("/pipelines/{}", case.pipeline);
    let frame =
        Frame::of(&call, case.case.clone()).under(&[(&case.pipeline, &href), (&case.case, "")]);
    let own = Page {
        href,
        plot: minijinja::Value::from_safe_string(plot(&case.cycles)),
        failures: failures(&case),
        changed_since: definitions.changes(),
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
fn failures(case: &CaseForm) -> Vec<Failed> {
    let mut cycles: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for row in &case.cycles {
        if let Some(fingerprint) = &row.fingerprint {
            cycles.entry(fingerprint).or_default().push(row.cycle);
        }
    }
    let mut failures: Vec<Failed> = cycles
        .into_iter()
        .map(|(fingerprint, cycles)| Failed {
            fingerprint: fingerprint.to_owned(),
            times: cycles.len(),
            cycles: cycles.into_iter().take(NAMED).collect(),
        })
        .collect();
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
    use super::*;

    #[test]
    fn an_id_stands_in_an_address_whole() {
        assert_eq!(in_address("test_001_health"), "test_001_health");
        assert_eq!(
            in_address("e2e::chat/späte antwort?#"),
            "e2e%3A%3Achat/sp%C3%A4te%20antwort%3F%23"
        );
    }
}
