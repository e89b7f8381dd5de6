//! Why the failures of a cluster began, as far as the records tell, in one sentence.
//!
//! Each case brings what had changed when its own failure began (`diff` decides that, at that
//! moment). A cluster takes the cause that most of its cases name; cases that were never good say
//! nothing and are outvoted by any other.

use std::cmp::Reverse;

use super::group::Member;
use crate::domain::history::{FailureChange, RecentRun};
use crate::domain::outcome::{Cause, Change, Outcome};

/// Why a cluster began.
pub(super) struct Reason<'a> {
    pub(super) cause: Cause,
    pub(super) because: String,
    /// The case by which the cluster is traced: of those with this cause one that was ever seen
    /// without this failure, and among these the one that has had it longest.
    pub(super) lead: Member<'a>,
}

/// On a tie the earlier one wins; what needs the fewest assumptions comes first.
const ORDER: &[Cause] =
    &[Cause::Flake, Cause::Suite, Cause::Config, Cause::Code, Cause::Environment];

/// The reason of a cluster with these members, of which there is at least one.
pub(super) fn reason_of<'a>(members: &[Member<'a>]) -> Reason<'a> {
    let votes = |cause: Cause| members.iter().filter(|member| named(member) == cause).count();
    let best = ORDER.iter().map(|cause| (votes(*cause), *cause)).rev().max_by_key(|(n, _)| *n);
    let (count, cause) = best.filter(|(n, _)| *n > 0).unwrap_or((members.len(), Cause::Unknown));
    let lead = members.iter().filter(|member| named(member) == cause).min_by_key(|member| {
        let before = member.began_after().map(|before| before.cycle);
        let since = member.began_in().map(|since| since.cycle);
        let first = member.first_failing().map(|first| first.cycle);
        let good = member.last_good().map(|good| good.cycle);
        let series = (good.is_none(), first, Reverse(good));
        (before.is_none(), since, Reverse(before), series, member.position)
    });
    let lead = *lead.or(members.first()).expect("a cluster has at least one member");
    let mut because = sentence(cause, &lead, members);
    if count < members.len() {
        because.push_str(&format!(" ({count} of {} cases)", members.len()));
    }
    because.push('.');
    Reason { cause, because, lead }
}

/// The cause that a case names.
fn named(member: &Member<'_>) -> Cause {
    member.causes().first().copied().unwrap_or(Cause::Unknown)
}

fn sentence(cause: Cause, lead: &Member<'_>, members: &[Member<'_>]) -> String {
    let case = &lead.result.case;
    let (also, began) = (also_changed(lead), began(lead));
    match cause {
        Cause::Flake => flake(lead) + &also,
        Cause::Suite => {
            format!("The definition of {case} changed just before {began}{also}")
        }
        Cause::Config => {
            format!("The pipeline's configuration changed just before {began}{also}")
        }
        Cause::Code => code(lead) + &unsteady(lead),
        Cause::Environment => environment(lead),
        Cause::Unknown if members.iter().all(is_uncompared) => {
            "A void cycle is compared with nothing".to_owned()
        }
        Cause::Unknown if lead.began_after().is_some() => {
            "Nothing was deployed and no surface says which revision serves, so no commit can be \
             blamed"
                .to_owned()
        }
        Cause::Unknown => unknown(lead, members),
    }
}

/// How the present failure came about, as the end of a sentence.
fn began(lead: &Member<'_>) -> String {
    match lead.failure_changed() {
        None => "this failure began".to_owned(),
        Some(changed) => {
            format!("the failure became this one in cycle {}", changed.to.cycle)
        }
    }
}

/// Nothing tells what changed: the cases have failed from their first run on, now or earlier.
fn unknown(lead: &Member<'_>, members: &[Member<'_>]) -> String {
    let is_new = |member: &Member<'_>| {
        member.finding.is_some_and(|finding| finding.change == Some(Change::NewFailing))
    };
    let is_renamed = |member: &Member<'_>| member.renamed_from.is_some();
    if members.iter().all(is_new) && !members.iter().any(is_renamed) {
        return "None of its cases was ever known here before, so nothing tells what changed"
            .to_owned();
    }
    let case = &lead.result.case;
    let renamed = members.iter().find_map(|member| Some((member, member.renamed_from?)));
    if let Some((member, earlier)) = renamed {
        let case = &member.result.case;
        let before = earlier.before.map_or("was known", was);
        return format!(
            "{case} is probably {} under another name, which {before} before",
            earlier.case
        );
    }
    let since =
        lead.first_failing().map_or_else(String::new, |first| format!(" in cycle {}", first.cycle));
    match members {
        [_] => format!(
            "{case} has been failing since its first run here{since}, so nothing tells what changed"
        ),
        _ => format!(
            "Each of its cases has been failing since its first run here, {case} since that{since}, \
             so nothing tells what changed"
        ),
    }
}

fn is_uncompared(member: &Member<'_>) -> bool {
    member.finding.is_none_or(|finding| finding.change.is_none())
}

/// How a case did, as a verb.
fn was(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed | Outcome::Flaky => "passed",
        Outcome::Failed | Outcome::Errored => "was failing",
        Outcome::Skipped => "was skipped",
        Outcome::NotRun => "did not run",
    }
}

/// The other things that had changed too, as a clause.
fn also_changed(lead: &Member<'_>) -> String {
    let mut others: Vec<&str> = Vec::new();
    for cause in lead.causes().iter().skip(1) {
        match cause {
            Cause::Suite => others.push("the case's definition"),
            Cause::Config => others.push("the configuration"),
            Cause::Code => others.push("the revision"),
            Cause::Flake | Cause::Environment | Cause::Unknown => {}
        }
    }
    match others.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} changed too"),
        [first, rest @ ..] => format!("; {first} and {} changed too", rest.join(" and ")),
    }
}

fn flake(lead: &Member<'_>) -> String {
    let case = &lead.result.case;
    let rate = lead.finding.and_then(|finding| finding.flaky_rate);
    let rate = rate.map_or_else(String::new, |rate| {
        format!(": {} of its last {} known runs were at odds with others", rate.flaky, rate.of)
    });
    // A commit beside a flake: it is one by what the case did before.
    let before =
        if lead.causes().contains(&Cause::Code) { " before, in this very way" } else { "" };
    format!("{case} was both good and failing on one revision{before}{rate}")
}

/// What weakens a commit as the cause: the case contradicts itself also without one.
fn unsteady(lead: &Member<'_>) -> String {
    let rate = lead.finding.and_then(|finding| finding.flaky_rate).filter(|rate| rate.is_habit());
    rate.map_or_else(String::new, |rate| {
        let case = &lead.result.case;
        format!(
            "; but {case} was at odds with itself in {} of its last {} known runs",
            rate.flaky, rate.of
        )
    })
}

fn code(lead: &Member<'_>) -> String {
    if let Some(FailureChange { from, to }) = lead.failure_changed() {
        return format!(
            "The revision changed from {} (failing in another way in cycle {}) to {} (failing in \
             this way since cycle {}), and nothing else of ours did",
            from.revision.short(),
            from.cycle,
            to.revision.short(),
            to.cycle,
        );
    }
    match (lead.last_good(), lead.first_failing()) {
        (Some(good), Some(bad)) if good.revision != bad.revision => format!(
            "The revision changed from {} (good in cycle {}) to {} (failing in cycle {}), and \
             nothing else of ours did",
            good.revision.short(),
            good.cycle,
            bad.revision.short(),
            bad.cycle,
        ),
        (_, Some(_) | None) => {
            "The revision changed just before this failure began, and nothing else of ours did"
                .to_owned()
        }
    }
}

fn environment(lead: &Member<'_>) -> String {
    let case = &lead.result.case;
    match good_on_this_revision(lead) {
        Some(cycle) => format!(
            "{case} was good on this very revision in cycle {cycle}, and neither its definition \
             nor the configuration changed since its last result"
        ),
        None if lead.failure_changed().is_some() => format!(
            "The failure of {case} became another one although neither the revision, the \
             configuration nor its definition changed"
        ),
        None => format!(
            "Neither the revision, the configuration nor the definition of {case} changed before \
             this failure began"
        ),
    }
}

/// The last cycle in which the case was good on the revision on which its failure began.
fn good_on_this_revision(lead: &Member<'_>) -> Option<u32> {
    let began = lead.began_in()?;
    let key = RecentRun::key_of(&began.revision);
    let earlier = lead.head?.recent.iter().rev().filter(|run| run.cycle < began.cycle);
    let mut good = earlier.filter(|run| run.revision_key == key && !run.outcome.is_failing());
    good.next().map(|run| run.cycle)
}
