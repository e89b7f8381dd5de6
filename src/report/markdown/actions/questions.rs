//! What people are to find out or to decide about the failures, said once for all failures of which the
//! same is to be said.
//!
//! It knows nothing of causes and commits: those are repairs.

use super::{Action, fixes, priority_of};
use crate::domain::escape;
use crate::domain::findings::{
    Cluster, Countermeasure, InvestigationSnapshot, InvestigationState, Why,
};
use crate::domain::names::InvestigationId;
use crate::domain::spec::Priority;
use crate::report::view::View;
use crate::report::words;

/// At most so many failures are named in one action.
const MAX_NAMED: usize = 5;

/// What is to be done about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// An answer to the why of this number; and what is known of the investigation.
    Answer(u32, Option<String>),
    /// A countermeasure.
    Decision,
    /// Another look, since all that was decided is done.
    Look,
    /// A first look: its document was not read.
    Reading,
    /// Somebody.
    Anybody,
}

/// Failures about which the same is to be done.
struct Question<'a> {
    priority: Priority,
    wanted: Wanted,
    /// Their investigations, or their titles where they have none.
    names: Vec<String>,
    /// The investigation of the worst of them.
    id: Option<&'a InvestigationId>,
    /// For how many cycles they have been failing: the least and the most.
    ages: (u32, u32),
}

/// One action for each thing to find out, the worst failure first.
pub(super) fn actions(view: &View<'_>) -> Vec<Action> {
    let mut questions: Vec<Question<'_>> = Vec::new();
    for cluster in view.clusters() {
        let Some(question) = question(view, cluster) else { continue };
        let same = |other: &&mut Question<'_>| {
            (other.priority, &other.wanted) == (question.priority, &question.wanted)
        };
        match questions.iter_mut().find(same) {
            Some(other) => {
                other.names.extend(question.names);
                other.ages.0 = other.ages.0.min(question.ages.0);
                other.ages.1 = other.ages.1.max(question.ages.1);
            }
            None => questions.push(question),
        }
    }
    let action =
        |asked: &Question<'_>| Action { priority: asked.priority, text: text(view, asked) };
    questions.iter().map(action).collect()
}

fn question<'a>(view: &'a View<'_>, cluster: &'a Cluster) -> Option<Question<'a>> {
    let priority = priority_of(view, cluster)?;
    let findings = cluster.cases.iter().filter_map(|id| view.case(id)?.finding);
    let age = findings.map(|finding| finding.age).max().unwrap_or(0);
    let title = || format!("“{}”", escape::text(&cluster.title));
    let (wanted, name, id) = match (view.investigation(cluster), &cluster.investigation) {
        (Some(snapshot), _) => {
            (wanted_of(view, snapshot)?, snapshot.id.to_string(), Some(&snapshot.id))
        }
        (None, Some(id)) => (Wanted::Reading, title(), Some(id)),
        (None, None) => (Wanted::Anybody, title(), None),
    };
    Some(Question { priority, wanted, names: vec![name], id, ages: (age, age) })
}

fn wanted_of(view: &View<'_>, snapshot: &InvestigationSnapshot) -> Option<Wanted> {
    let is_open = |why: &&Why| why.number > 1 && why.answers.is_empty();
    match snapshot.whys.iter().find(is_open) {
        Some(why) => Some(Wanted::Answer(why.number, known_of(view, snapshot))),
        // An open countermeasure says the same, and who should act.
        None if snapshot.countermeasures.iter().any(Countermeasure::is_open) => None,
        None if snapshot.countermeasures.is_empty() => Some(Wanted::Decision),
        None => Some(Wanted::Look),
    }
}

fn known_of(view: &View<'_>, snapshot: &InvestigationSnapshot) -> Option<String> {
    match snapshot.state {
        // The action about the fix says the same, and more.
        InvestigationState::Reopened
            if !fixes::actions(view, &snapshot.claims, &snapshot.id).is_empty() =>
        {
            None
        }
        InvestigationState::Reopened => Some("came back".to_owned()),
        InvestigationState::FixClaimed | InvestigationState::FixDeployed => {
            Some("a fix is claimed, and this revision lacks it".to_owned())
        }
        InvestigationState::Verified => {
            Some("a fix was verified, and this revision lacks it".to_owned())
        }
        InvestigationState::New => Some("nobody has answered yet".to_owned()),
        InvestigationState::Analysed | InvestigationState::Closed => None,
    }
}

fn text(view: &View<'_>, asked: &Question<'_>) -> String {
    let (names, age) = (named(&asked.names), age(asked.ages));
    let edit = edit(view, asked);
    let (needs, has, its, is, it) = match asked.names.len() {
        1 => ("needs", "has", "its", "is", "it"),
        _ => ("need", "have", "their", "are", "them"),
    };
    match &asked.wanted {
        Wanted::Answer(number, known) => {
            let known = known.as_ref().map_or_else(String::new, |known| format!(", {known}"));
            format!("{names} {needs} an answer to why {number} (failing {age}{known}): {edit}.")
        }
        Wanted::Decision => format!(
            "{names} {has} {its} answers and no countermeasure: decide what to do (failing {age}): {edit}."
        ),
        Wanted::Look => format!(
            "{names} {has} {its} answers and every countermeasure has its commit: look again \
             (failing {age}): {edit}."
        ),
        Wanted::Reading => format!("Look into {names}, failing {age}: {edit}."),
        Wanted::Anybody => format!("{names} {is} failing {age} and nobody looks at {it}."),
    }
}

fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    let shown = words::list(&names[..names.len() - more]);
    if more == 0 { shown } else { format!("{shown} and {} more", words::number(more as u64)) }
}

fn age((least, most): (u32, u32)) -> String {
    match (least, most) {
        (_, 0 | 1) => "since this cycle".to_owned(),
        (least, most) if least == most => format!("for {most} cycles"),
        (_, most) => format!("for up to {most} cycles"),
    }
}

/// The command that opens an investigation. Numbers count by pipeline, so it names that, too.
fn edit(view: &View<'_>, asked: &Question<'_>) -> String {
    let pipeline = &view.state.queued.pipeline;
    let Some(id) = asked.id else { return String::new() };
    let edit = format!("`andon whys edit {id} --pipeline {pipeline}`");
    if asked.names.len() == 1 { edit } else { format!("{edit}, then the others") }
}
