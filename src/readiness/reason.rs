//! Why an environment is not ready, in words that tell a wrong revision, a mix of two, a degraded
//! and a dead service apart. Pure.

use super::round::{Memory, Round};
use crate::domain::event::SurfaceReading;
use crate::domain::revision::Sha;

/// One sentence for each surface and check that does not hold.
pub(super) fn why_not_ready(
    last: &Round,
    memory: &[Memory],
    wanted: Option<&Sha>,
    held: u32,
    of: u32,
) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for (reading, memory) in last.surfaces.iter().zip(memory) {
        reasons.extend(why_not(reading, &memory.last, wanted));
    }
    for check in &last.checks {
        let failure = check.failure.as_ref();
        reasons.extend(failure.map(|failure| format!("check {}: {failure}", check.name)));
    }
    if reasons.is_empty() {
        return match last.surfaces.is_empty() && last.checks.is_empty() {
            true => "it was never asked".to_owned(),
            false => format!("only {held} of {of} rounds in a row held"),
        };
    }
    reasons.join("; ")
}

fn why_not(reading: &SurfaceReading, last: &[String], wanted: Option<&Sha>) -> Option<String> {
    let name = &reading.surface;
    let wanted_words = wanted.map(|sha| format!(", wanted {}", sha.short())).unwrap_or_default();
    let mut served: Vec<&str> = Vec::new();
    for revision in last {
        if !served.contains(&revision.as_str()) {
            served.push(revision);
        }
    }
    // Old, then new for good, is a swap; old again after new is two replicas.
    let changes = last.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if changes > 1 && served.len() > 1 {
        let list: Vec<String> = served.into_iter().map(short).collect();
        return Some(format!(
            "{name} is mixed: it serves {} in turn{wanted_words}",
            list.join(" and ")
        ));
    }
    if let Some(error) = &reading.error {
        return Some(format!("{name}: {error}"));
    }
    match (&reading.served, reading.matches) {
        (Some(served), Some(false)) => {
            Some(format!("{name} serves {}{wanted_words}", short(served)))
        }
        (_, Some(true) | None) => None,
        (None, Some(false)) => Some(format!("{name} says no revision{wanted_words}")),
    }
}

/// A full commit id as its first seven digits; all else as it is.
fn short(served: &str) -> String {
    Sha::parse(served).map_or_else(|_| served.to_owned(), |sha| sha.short().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OLD: &str = "0a1b2c3000000000000000000000000000000001";
    const NEW: &str = "4f1c2aa000000000000000000000000000000001";

    fn reading(served: Option<&str>, error: Option<&str>) -> SurfaceReading {
        SurfaceReading {
            surface: "api".to_owned(),
            served: served.map(str::to_owned),
            matches: Some(served == Some(NEW)),
            reads: 1,
            after_ms: None,
            remote: None,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn what_a_surface_says_is_told_apart() {
        let wanted = Sha::parse(NEW).unwrap();
        let why = |reading: &SurfaceReading, last: &[&str]| {
            let last: Vec<String> = last.iter().map(|&text| text.to_owned()).collect();
            why_not(reading, &last, Some(&wanted))
        };
        let old = reading(Some(OLD), None);
        assert_eq!(why(&old, &[OLD, OLD]).unwrap(), "api serves 0a1b2c3, wanted 4f1c2aa");
        let mixed = "api is mixed: it serves 0a1b2c3 and 4f1c2aa in turn, wanted 4f1c2aa";
        assert_eq!(why(&old, &[OLD, NEW, OLD]).unwrap(), mixed);
        assert_eq!(why(&reading(Some(NEW), None), &[OLD, NEW, OLD, NEW]).unwrap(), mixed);
        assert_eq!(why(&reading(Some(NEW), None), &[OLD, OLD, NEW]), None);
        let down = reading(None, Some("expected an answer, got: h:1 refused the connection"));
        assert_eq!(
            why(&down, &[OLD]).unwrap(),
            "api: expected an answer, got: h:1 refused the connection"
        );
        assert_eq!(
            why(&reading(Some("v1.2"), None), &["v1.2"]).unwrap(),
            "api serves v1.2, wanted 4f1c2aa"
        );
    }
}
