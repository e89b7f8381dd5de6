//! What earlier cycles say about a case.
//!
//! Layout of version 1; texts have their length in front:
//!
//! ```text
//! 1 · planned_in · last_outcome · flags · failing_for
//!   [known: cycle · sha · outcome · definition · config · (fingerprint) · (said)]
//!   [last_good: cycle · sha]  [first_failing: cycle · sha]
//!   [failure_changed: cycle · sha · cycle · sha]
//!   [flaked_as]
//!   causes · { cause }
//!   runs · { cycle − previous cycle · outcome and flag · (revision key, 4 bytes) · duration }
//! ```
//!
//! A commit id is a one and 20 bytes, and a zero where it is that of the known result.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Reader, codes, outcome_code, outcome_of, put_bytes, put_count, put_number};
use crate::domain::history::{CaseHead, CycleRef, FailureChange, KnownResult, RecentRun};
use crate::domain::names::{CaseId, Fingerprint};
use crate::domain::outcome::Cause;
use crate::domain::revision::Sha;

const VERSION: u8 = 1;

const HAS_KNOWN: u8 = 1;
const HAS_FINGERPRINT: u8 = 2;
const HAS_LAST_GOOD: u8 = 4;
const HAS_FIRST_FAILING: u8 = 8;
const HAS_FAILURE_CHANGED: u8 = 16;
const HAS_FLAKED_AS: u8 = 32;
const HAS_SAID: u8 = 64;

/// A flag beside a run's outcome: its revision is that of the run before.
const SAME_REVISION: u8 = 0x10;

/// Writes a head down at the end of `out`, without its case, which is its key.
pub(in crate::store) fn encode(out: &mut Vec<u8>, head: &CaseHead) {
    out.push(VERSION);
    put_number(out, head.planned_in.into());
    out.push(outcome_code(head.last_outcome));
    out.push(flags_of(head));
    put_number(out, head.failing_for.into());
    if let Some(known) = &head.known {
        put_cycle_ref(out, &known.at, None);
        out.push(outcome_code(known.outcome));
        put_bytes(out, known.definition.as_bytes());
        put_bytes(out, known.config.as_bytes());
        if let Some(fingerprint) = &known.fingerprint {
            put_bytes(out, fingerprint.as_str().as_bytes());
        }
        if let Some(said) = &known.said {
            put_bytes(out, said.as_bytes());
        }
    }
    let known_sha = head.known.as_ref().map(|known| &known.at.revision);
    for cycle_ref in [&head.last_good, &head.first_failing].into_iter().flatten() {
        put_cycle_ref(out, cycle_ref, known_sha);
    }
    if let Some(FailureChange { from, to }) = &head.failure_changed {
        put_cycle_ref(out, from, known_sha);
        put_cycle_ref(out, to, known_sha);
    }
    if let Some(fingerprint) = &head.flaked_as {
        put_bytes(out, fingerprint.as_str().as_bytes());
    }
    put_count(out, head.causes.len());
    out.extend(head.causes.iter().map(|cause| cause_code(*cause)));
    put_runs(out, &head.recent);
}

fn flags_of(head: &CaseHead) -> u8 {
    let fingerprint = head.known.as_ref().and_then(|known| known.fingerprint.as_ref());
    [
        (head.known.is_some(), HAS_KNOWN),
        (fingerprint.is_some(), HAS_FINGERPRINT),
        (head.last_good.is_some(), HAS_LAST_GOOD),
        (head.first_failing.is_some(), HAS_FIRST_FAILING),
        (head.failure_changed.is_some(), HAS_FAILURE_CHANGED),
        (head.flaked_as.is_some(), HAS_FLAKED_AS),
        (head.known.as_ref().is_some_and(|known| known.said.is_some()), HAS_SAID),
    ]
    .into_iter()
    .filter_map(|(is_set, flag)| is_set.then_some(flag))
    .sum()
}

fn put_runs(out: &mut Vec<u8>, runs: &[RecentRun]) {
    put_count(out, runs.len());
    let mut cycle = 0;
    let mut revision_key = None;
    for run in runs {
        put_number(out, run.cycle.wrapping_sub(cycle).into());
        let is_same = revision_key == Some(run.revision_key);
        out.push(outcome_code(run.outcome) | if is_same { SAME_REVISION } else { 0 });
        if !is_same {
            out.extend_from_slice(&run.revision_key.to_le_bytes());
        }
        put_number(out, run.duration_ms.into());
        cycle = run.cycle;
        revision_key = Some(run.revision_key);
    }
}

fn put_cycle_ref(out: &mut Vec<u8>, cycle_ref: &CycleRef, known_sha: Option<&Sha>) {
    put_number(out, cycle_ref.cycle.into());
    if known_sha == Some(&cycle_ref.revision) {
        out.push(0);
        return;
    }
    let mut bytes = [0; 20];
    hex::decode_to_slice(cycle_ref.revision.as_str(), &mut bytes)
        .expect("a commit id is 40 hex digits");
    out.push(1);
    out.extend_from_slice(&bytes);
}

/// Reads a head. Answers `None` for bytes that no version wrote.
pub(in crate::store) fn decode(
    case: CaseId,
    bytes: &[u8],
    shared: &mut Shared,
) -> Option<CaseHead> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != VERSION {
        return None;
    }
    let planned_in = reader.number_u32()?;
    let last_outcome = outcome_of(reader.byte()?)?;
    let flags = reader.byte()?;
    let failing_for = reader.number_u32()?;
    let known = if flags & HAS_KNOWN != 0 { Some(reader.known(flags, shared)?) } else { None };
    let known_sha = known.as_ref().map(|known| &known.at.revision);
    let last_good = reader.optional_ref(flags & HAS_LAST_GOOD, known_sha, shared)?;
    let first_failing = reader.optional_ref(flags & HAS_FIRST_FAILING, known_sha, shared)?;
    let failure_changed = match flags & HAS_FAILURE_CHANGED {
        0 => None,
        _ => Some(FailureChange {
            from: reader.cycle_ref(known_sha, shared)?,
            to: reader.cycle_ref(known_sha, shared)?,
        }),
    };
    let flaked_as = match flags & HAS_FLAKED_AS {
        0 => None,
        _ => Some(Fingerprint::parse(reader.text()?)?),
    };
    let causes = reader.causes()?;
    let recent = reader.runs()?;
    let head = CaseHead {
        case,
        planned_in,
        last_outcome,
        known,
        last_good,
        first_failing,
        failing_for,
        failure_changed,
        flaked_as,
        causes,
        recent,
    };
    reader.is_at_end().then_some(head)
}

/// What many heads have in common, so that it is held once.
#[derive(Default)]
pub(in crate::store) struct Shared {
    shas: HashMap<Vec<u8>, Sha>,
    texts: HashSet<Arc<str>>,
}

impl Shared {
    fn sha(&mut self, bytes: &[u8]) -> Option<Sha> {
        if let Some(known) = self.shas.get(bytes) {
            return Some(known.clone());
        }
        let sha = Sha::parse(&hex::encode(bytes)).ok()?;
        self.shas.insert(bytes.to_vec(), sha.clone());
        Some(sha)
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }
}

impl Reader<'_> {
    fn known(&mut self, flags: u8, shared: &mut Shared) -> Option<KnownResult> {
        let at = self.cycle_ref(None, shared)?;
        let outcome = outcome_of(self.byte()?)?;
        let definition = self.text()?.into();
        let config = shared.text(self.text()?);
        let fingerprint = if flags & HAS_FINGERPRINT != 0 {
            Some(Fingerprint::parse(self.text()?)?)
        } else {
            None
        };
        let said = if flags & HAS_SAID != 0 { Some(self.text()?.into()) } else { None };
        Some(KnownResult { at, outcome, fingerprint, said, definition, config })
    }

    fn optional_ref(
        &mut self,
        flag: u8,
        known_sha: Option<&Sha>,
        shared: &mut Shared,
    ) -> Option<Option<CycleRef>> {
        if flag == 0 { Some(None) } else { self.cycle_ref(known_sha, shared).map(Some) }
    }

    fn cycle_ref(&mut self, known_sha: Option<&Sha>, shared: &mut Shared) -> Option<CycleRef> {
        let cycle = self.number_u32()?;
        let revision = match self.byte()? {
            0 => known_sha?.clone(),
            1 => shared.sha(self.take(20)?)?,
            _ => return None,
        };
        Some(CycleRef { cycle, revision })
    }

    fn causes(&mut self) -> Option<Vec<Cause>> {
        let count = self.count()?;
        self.take(count)?.iter().map(|code| cause_of(*code)).collect()
    }

    fn runs(&mut self) -> Option<Vec<RecentRun>> {
        let count = self.count()?;
        // A run has three bytes at least: a forged count reserves no memory beyond the input's.
        let mut runs = Vec::with_capacity(count.min(self.rest.len() / 3));
        let mut cycle = 0_u32;
        let mut revision_key = None;
        for _ in 0..count {
            cycle = cycle.wrapping_add(self.number_u32()?);
            let code = self.byte()?;
            let key = if code & SAME_REVISION != 0 {
                revision_key?
            } else {
                u32::from_le_bytes(self.take(4)?.try_into().ok()?)
            };
            let outcome = outcome_of(code & !SAME_REVISION)?;
            let duration_ms = self.number_u32()?;
            runs.push(RecentRun { cycle, revision_key: key, duration_ms, outcome });
            revision_key = Some(key);
        }
        Some(runs)
    }
}

codes!(cause_code, cause_of, Cause {
    Code = 0, Suite = 1, Config = 2, Environment = 3, Flake = 4, Unknown = 5,
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::domain::outcome::Outcome;

    fn any_sha() -> impl Strategy<Value = Sha> {
        // Few of them, so that equal ones meet.
        prop_oneof!["[0-9a-f]{40}", Just("ab".repeat(20))].prop_map(|s| Sha::parse(&s).unwrap())
    }

    fn any_cycle_ref() -> impl Strategy<Value = CycleRef> {
        (any::<u32>(), any_sha()).prop_map(|(cycle, revision)| CycleRef { cycle, revision })
    }

    fn any_known() -> impl Strategy<Value = KnownResult> {
        let fingerprint = proptest::option::of("[0-9a-f]{12}")
            .prop_map(|digest| digest.map(|digest| Fingerprint::new(1, &digest)));
        let said = proptest::option::of(".{0,40}");
        let failed = (fingerprint, said);
        (any_cycle_ref(), any_of(Outcome::ALL), failed, ".{0,20}", ".{0,200}").prop_map(
            |(at, outcome, (fingerprint, said), definition, config)| KnownResult {
                at,
                outcome,
                fingerprint,
                said: said.map(Into::into),
                definition: definition.into(),
                config: config.into(),
            },
        )
    }

    fn any_run() -> impl Strategy<Value = RecentRun> {
        let key = prop_oneof![Just(7), any::<u32>()];
        (any::<u32>(), key, any::<u32>(), any_of(Outcome::ALL)).prop_map(
            |(cycle, revision_key, duration_ms, outcome)| RecentRun {
                cycle,
                revision_key,
                duration_ms,
                outcome,
            },
        )
    }

    fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
        proptest::sample::select(all)
    }

    fn any_head() -> impl Strategy<Value = CaseHead> {
        use proptest::{collection::vec, option::of};
        let change =
            (any_cycle_ref(), any_cycle_ref()).prop_map(|(from, to)| FailureChange { from, to });
        let refs = (of(any_known()), of(any_cycle_ref()), of(any_cycle_ref()), of(change));
        let flaked_as = of(Just(Fingerprint::new(1, "f0")));
        let lists = (vec(any_of(Cause::ALL), 0..4), vec(any_run(), 0..50));
        (any::<u32>(), any_of(Outcome::ALL), refs, any::<u32>(), flaked_as, lists).prop_map(
            |(planned_in, last_outcome, refs, failing_for, flaked_as, lists)| {
                let (known, last_good, first_failing, failure_changed) = refs;
                CaseHead {
                    case: the_case(),
                    planned_in,
                    last_outcome,
                    known,
                    last_good,
                    first_failing,
                    failing_for,
                    failure_changed,
                    flaked_as,
                    causes: lists.0,
                    recent: lists.1,
                }
            },
        )
    }

    fn the_case() -> CaseId {
        CaseId::parse("case").unwrap()
    }

    fn encoded(head: &CaseHead) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, head);
        out
    }

    proptest! {
        #[test]
        fn every_head_survives(head in any_head()) {
            prop_assert_eq!(decode(the_case(), &encoded(&head), &mut Shared::default()), Some(head));
        }

        #[test]
        fn a_cut_head_is_never_taken_for_one(head in any_head(), at in any::<prop::sample::Index>()) {
            let bytes = encoded(&head);
            let cut = &bytes[..at.index(bytes.len())];
            prop_assert_eq!(decode(the_case(), cut, &mut Shared::default()), None);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(the_case(), &bytes, &mut Shared::default());
            let with_version: Vec<u8> = std::iter::once(VERSION).chain(bytes).collect();
            let _ = decode(the_case(), &with_version, &mut Shared::default());
        }
    }

    /// The bytes that lie in databases out there. When this fails, a new version is due.
    #[test]
    fn the_layout_of_version_1_does_not_change() {
        let revision = Sha::parse(&"ab".repeat(20)).unwrap();
        let at = CycleRef { cycle: 300, revision };
        let head = CaseHead {
            case: the_case(),
            planned_in: 301,
            last_outcome: Outcome::NotRun,
            known: Some(KnownResult {
                at: at.clone(),
                outcome: Outcome::Failed,
                fingerprint: Some(Fingerprint::new(1, "f0")),
                said: None,
                definition: "d".into(),
                config: "c".into(),
            }),
            last_good: None,
            first_failing: Some(at),
            failing_for: 1,
            failure_changed: None,
            flaked_as: None,
            causes: vec![Cause::Environment],
            recent: vec![
                RecentRun { cycle: 299, revision_key: 9, duration_ms: 5, outcome: Outcome::Passed },
                RecentRun { cycle: 300, revision_key: 9, duration_ms: 6, outcome: Outcome::Failed },
            ],
        };
        let known = format!("ac0201{}0201640163{}", "ab".repeat(20), "0576312d6630");
        let runs = "02ab02000900000005011206";
        let expected = format!("01ad02050b01{known}ac02000103{runs}");
        assert_eq!(hex::encode(encoded(&head)), expected);
    }
}
