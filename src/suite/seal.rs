//! The last thing before an attempt is handed out: nothing secret in it.

use super::env::RunEnv;
use crate::domain::evidence::Evidence;
use crate::domain::failure::Failure;
use crate::domain::redact::MASK;
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

/// Masks what an iteration learnt to be secret while it ran: a captured token stands in the very body
/// from which it was captured. Only this iteration can have seen it, so only its own texts are masked.
pub(super) fn mask_learnt(
    result: &mut Result<(), Failure>,
    evidence: &mut Evidence,
    learnt: &[String],
) {
    let mask = |text: &mut String| {
        for value in learnt {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), MASK);
            }
        }
    };
    for exchange in &mut evidence.exchanges {
        mask(&mut exchange.url);
        exchange.body.iter_mut().for_each(|body| mask(&mut body.text));
        exchange.frames.iter_mut().for_each(|frame| mask(&mut frame.payload.text));
    }
    if let Err(failure) = result {
        mask(&mut failure.message);
        let texts = [&mut failure.expected, &mut failure.actual, &mut failure.repro];
        texts.into_iter().flatten().for_each(mask);
    }
}
