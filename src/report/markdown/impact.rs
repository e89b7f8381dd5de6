//! Part 11: what is at risk now, by priority, in the words of the cases themselves. No sum is ever
//! made up: what the pipeline says is at risk is quoted.

use std::collections::{BTreeMap, HashMap};

use super::page::Page;
use super::{MAX_ROWS, cut_note};
use crate::domain::escape;
use crate::domain::outcome::Outcome;
use crate::domain::spec::Priority;
use crate::report::view::{CaseView, View};
use crate::report::words;

/// What fails with one effect.
struct Loss<'a> {
    priority: Priority,
    impact: Option<&'a str>,
    failing: usize,
    /// Errored: whether they fail is not known.
    unmeasured: usize,
    quarantined: usize,
    /// Cases that did not run now and were failing when they last did, and that cycle.
    carried: usize,
    last_seen: u32,
}

pub fn write(page: &mut Page, view: &View<'_>) {
    // What an older commit broke is not what is broken now.
    if view.counts().planned == 0 || view.is_question() {
        return;
    }
    page.section("Business impact");
    let losses = losses(view);
    let mut items: Vec<String> = losses.iter().take(MAX_ROWS).map(line).collect();
    items.extend(cut_note(view, losses.len().saturating_sub(MAX_ROWS)));
    items.extend(unknown(view));
    if items.is_empty() {
        let gone = super::actions::gone(view);
        page.block(&gone.map_or_else(
            || "Nothing that the suite covers is known to be broken.".to_owned(),
            |gone| {
                format!("Nothing that the suite still covers is known to be broken, but {gone}.")
            },
        ));
    }
    page.list(&items);
    let definition = &view.state.queued.definition;
    let said: Vec<String> = [&definition.impact, &definition.at_risk]
        .into_iter()
        .flatten()
        .map(|text| escape::text(text.trim_end_matches('.')))
        .collect();
    let is_at_stake = |loss: &Loss<'_>| loss.failing + loss.carried + loss.unmeasured > 0;
    if losses.iter().any(is_at_stake) && !said.is_empty() {
        page.block(&format!("The pipeline says what is at stake: {}.", said.join("; ")));
    }
}

/// Failing cases by priority and by what they say it costs; within a priority most cases first.
fn losses<'a>(view: &View<'a>) -> Vec<Loss<'a>> {
    let mut losses: Vec<Loss<'a>> = Vec::new();
    let mut places: HashMap<(Priority, Option<&str>), usize> = HashMap::new();
    for case in view.cases.iter().filter(|case| case.is_failing() || was_failing(case).is_some()) {
        let (Some(priority), impact) = (case.priority(), case.impact()) else { continue };
        let at = *places.entry((priority, impact)).or_insert_with(|| {
            losses.push(Loss {
                priority,
                impact,
                failing: 0,
                unmeasured: 0,
                quarantined: 0,
                carried: 0,
                last_seen: 0,
            });
            losses.len() - 1
        });
        let loss = &mut losses[at];
        match was_failing(case) {
            Some(cycle) => {
                loss.carried += 1;
                loss.last_seen = loss.last_seen.max(cycle);
            }
            None if !case.decides() => loss.quarantined += 1,
            None if case.outcome() == Some(Outcome::Errored) => loss.unmeasured += 1,
            None => loss.failing += 1,
        }
    }
    let weight = |loss: &Loss<'_>| (loss.failing, loss.carried, loss.unmeasured, loss.quarantined);
    losses.sort_by_key(|loss| (loss.priority, std::cmp::Reverse(weight(loss))));
    losses
}

/// The cycle in which a case that did not run now was failing when it last ran: as far as anybody knows it
/// still is. One in quarantine costs nothing that decides.
fn was_failing(case: &CaseView<'_>) -> Option<u32> {
    let carried = case.finding?.carried.as_ref()?;
    let counts = case.outcome() == Some(Outcome::NotRun) && case.decides();
    (counts && carried.outcome.is_failing()).then_some(carried.from.cycle)
}

fn line(loss: &Loss<'_>) -> String {
    let mut parts = Vec::new();
    for (how_many, what) in [
        (loss.failing, "failing"),
        (loss.unmeasured, "errored"),
        (loss.quarantined, "failing in quarantine"),
    ] {
        if how_many > 0 {
            parts.push(format!("{} {what}", words::count(how_many as u64, "case", "cases")));
        }
    }
    if loss.carried > 0 {
        let cases = words::count(loss.carried as u64, "case", "cases");
        let was = if loss.carried == 1 { "was" } else { "were" };
        parts.push(format!(
            "{cases} that did not run {was} failing before, last seen in cycle {}",
            loss.last_seen
        ));
    }
    let impact = match loss.impact.map(|impact| escape::text(impact.trim_end_matches('.'))) {
        None => "no case says what it costs".to_owned(),
        Some(impact) if loss.failing + loss.carried > 0 => format!("**{impact}**"),
        Some(impact) if loss.unmeasured > 0 => {
            format!("**not measured**; if it is broken: {impact}")
        }
        Some(impact) => impact,
    };
    format!("{}: {impact} ({})", loss.priority, parts.join(", "))
}

/// What nobody knows, because its cases did not run and were not failing before: a line a priority.
fn unknown(view: &View<'_>) -> Vec<String> {
    const SHOWN: usize = 4;
    let mut priorities: BTreeMap<Priority, (usize, Vec<&str>)> = BTreeMap::new();
    for case in view.with_outcome(Outcome::NotRun).filter(|case| was_failing(case).is_none()) {
        let Some(priority) = case.priority() else { continue };
        let (how_many, impacts) = priorities.entry(priority).or_default();
        *how_many += 1;
        let is_new = |impact: &&str| impacts.len() <= SHOWN && !impacts.contains(impact);
        if let Some(impact) = case.impact().filter(is_new) {
            impacts.push(impact);
        }
    }
    let told = |(priority, (how_many, impacts)): (Priority, (usize, Vec<&str>))| {
        let cases = words::count(how_many as u64, "case", "cases");
        let shown = impacts.iter().take(SHOWN);
        let mut said: Vec<String> =
            shown.map(|impact| escape::text(impact.trim_end_matches('.'))).collect();
        if impacts.len() > SHOWN {
            said.push("and more".to_owned());
        }
        let said = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
        format!("{priority}: **not known**, because {cases} did not run{said}")
    };
    priorities.into_iter().map(told).collect()
}
