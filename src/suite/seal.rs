//! The last thing before an attempt is handed out: nothing secret in it.

use super::env::RunEnv;
use crate::domain::evidence::{EventsSeen, Evidence};
use crate::domain::failure::Failure;
use crate::domain::redact::Masker;
use crate::verdict::{Finding, capped};

/// A command longer than this helps nobody.
const MAX_REPRO_BYTES: usize = 4_000;

/// A finding as the failure of a step, masked.
pub(super) fn seal_failure(
    env: &RunEnv,
    finding: Finding,
    step: &str,
    repro: Option<String>,
) -> Failure {
    let masker = env.evidencer().masker();
    let mask = |text: String| masker.mask(&text);
    let failure = finding.into_failure();
    Failure {
        message: capped(&mask(failure.message)),
        step: Some(step.to_owned()),
        expected: failure.expected.map(mask),
        actual: failure.actual.map(mask),
        subject: failure.subject.map(mask),
        repro: repro.filter(|text| text.len() <= MAX_REPRO_BYTES).map(mask),
        ..failure
    }
}

/// Masks the names of events: a step may expect one that a secret is part of.
pub(super) fn mask_events(evidence: &mut Evidence, masker: &Masker) {
    for events in &mut evidence.events {
        let EventsSeen { expected, seen, missing, forbidden, .. } = events;
        let names = expected.iter_mut().chain(missing).chain(forbidden);
        for name in names.chain(seen.iter_mut().map(|(name, _)| name)) {
            *name = masker.mask(name);
        }
    }
}

/// Masks what an iteration learnt to be secret while it ran: a captured token stands in the very body
/// from which it was captured. Only this iteration can have seen it, so only its own texts are masked.
pub(super) fn mask_learnt(
    result: &mut Result<(), Failure>,
    evidence: &mut Evidence,
    learnt: &[String],
) {
    if learnt.is_empty() {
        return;
    }
    let masker = Masker::new(learnt.iter().cloned());
    let mask = |text: &mut String| *text = masker.mask(text);
    for exchange in &mut evidence.exchanges {
        mask(&mut exchange.url);
        exchange.error.iter_mut().for_each(mask);
        exchange.body.iter_mut().for_each(|body| mask(&mut body.text));
        for frame in &mut exchange.frames {
            mask(&mut frame.payload.text);
            frame.event.iter_mut().for_each(mask);
        }
    }
    mask_events(evidence, &masker);
    if let Err(failure) = result {
        mask(&mut failure.message);
        let Failure { expected, actual, subject, repro, .. } = failure;
        let texts = [expected, actual, subject, repro];
        texts.into_iter().flatten().for_each(mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_events_show_no_secret() {
        let names = || vec!["plain".to_owned(), "the-secret-key".to_owned()];
        let mut evidence = Evidence::default();
        evidence.events.push(EventsSeen {
            step: "s".to_owned(),
            expected: names(),
            ordered: false,
            seen: vec![("x the-secret-key".to_owned(), 1)],
            missing: names(),
            forbidden: names(),
            out_of_order: false,
        });
        mask_events(&mut evidence, &Masker::new(["the-secret-key".to_owned()]));
        let shown = format!("{evidence:?}");
        assert!(!shown.contains("the-secret-key") && shown.contains("x ***"), "{shown}");
        let events = &evidence.events[0];
        for list in [&events.expected, &events.missing, &events.forbidden] {
            assert_eq!(list, &["plain", "***"]);
        }
    }
}
