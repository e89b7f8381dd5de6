//! Ids, earlier ids and needs over all cases of a suite.

use std::collections::BTreeMap;

use crate::domain::names::CaseId;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::faults::Span;
use crate::pipeline::read::case::PlacedCase;
use crate::pipeline::reader::{Cx, Placeholder};

/// Checks that ids are unique, and that needs exist and do not run in circles.
pub(crate) fn check(cx: &mut Cx<'_>, cases: &[&PlacedCase]) {
    let ids = unique_ids(cx, cases);
    earlier_ids(cx, cases, &ids);
    let needs = known_needs(cx, cases, &ids);
    tell_circles(cx, cases, &needs);
}

/// Where each id stands first: number of the case and place.
type Ids<'c> = BTreeMap<&'c str, (usize, Span)>;

fn unique_ids<'c>(cx: &mut Cx<'_>, cases: &[&'c PlacedCase]) -> Ids<'c> {
    let mut ids = Ids::new();
    for (number, placed) in cases.iter().enumerate() {
        let id = placed.case.id.as_str();
        if placed.case.id == CaseId::placeholder() {
            continue;
        }
        match ids.get(id) {
            Some((_, first)) => {
                cx.error(placed.id_at, format!("two cases have the id {}", quoted(id)))
                    .help("an id is the identity of a case across runs: it is unique in the suite")
                    .related(*first, "first here");
            }
            None => {
                ids.insert(id, (number, placed.id_at));
            }
        }
    }
    ids
}

fn earlier_ids<'c>(cx: &mut Cx<'_>, cases: &[&'c PlacedCase], ids: &Ids<'c>) {
    let mut earlier: BTreeMap<&str, Span> = BTreeMap::new();
    for placed in cases {
        for (was, at) in placed.case.was.iter().zip(&placed.was_at) {
            let was = was.as_str();
            if let Some((_, other)) = ids.get(was) {
                cx.error(*at, format!("{} is the id of a case that exists", quoted(was)))
                    .help("`was` lists ids that no case has any more")
                    .related(*other, "this case has it");
            } else if let Some(first) = earlier.get(was) {
                cx.error(*at, format!("two cases were {}", quoted(was)))
                    .help("the history of an id goes on in one case only")
                    .related(*first, "first here");
            } else {
                earlier.insert(was, *at);
            }
        }
    }
}

/// The needs of each case as numbers of cases. Those that do not exist are told.
fn known_needs(cx: &mut Cx<'_>, cases: &[&PlacedCase], ids: &Ids<'_>) -> Vec<Vec<usize>> {
    cases
        .iter()
        .map(|placed| {
            let mut known = Vec::new();
            for (need, at) in placed.case.needs.iter().zip(&placed.needs_at) {
                match ids.get(need.as_str()) {
                    Some((number, _)) => known.push(*number),
                    None => unknown_need(cx, cases, need.as_str(), *at),
                }
            }
            known
        })
        .collect()
}

fn unknown_need(cx: &mut Cx<'_>, cases: &[&PlacedCase], need: &str, at: Span) {
    let renamed = cases.iter().find(|p| p.case.was.iter().any(|was| was.as_str() == need));
    let near = cx.suggester.nearest(need, cases.iter().map(|placed| placed.case.id.as_str()));
    let fault = cx.error(at, format!("no case has the id {}", quoted(need)));
    if let Some(renamed) = renamed {
        fault.help(format!("it is now {}", quoted(renamed.case.id.as_str())));
    } else if let Some(near) = near {
        fault.help(format!("did you mean {}?", quoted(near)));
    }
}

/// Tells each circle of needs once, at the first case of it in the text.
fn tell_circles(cx: &mut Cx<'_>, cases: &[&PlacedCase], needs: &[Vec<usize>]) {
    // What needs nothing, or only what was settled before, is in no circle.
    let mut left: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut needed_by = vec![Vec::new(); cases.len()];
    for (case, list) in needs.iter().enumerate() {
        list.iter().for_each(|need| needed_by[*need].push(case));
    }
    let mut settled: Vec<usize> = (0..cases.len()).filter(|case| left[*case] == 0).collect();
    while let Some(case) = settled.pop() {
        for dependent in &needed_by[case] {
            left[*dependent] -= 1;
            if left[*dependent] == 0 {
                settled.push(*dependent);
            }
        }
    }
    let mut told = vec![false; cases.len()];
    for start in (0..cases.len()).filter(|case| left[*case] > 0) {
        let Some(circle) = circle_from(start, needs, &left, &mut told) else { continue };
        let names: Vec<String> =
            circle.iter().take(10).map(|case| quoted(cases[*case].case.id.as_str())).collect();
        let first = cases[circle[0]];
        let next = &cases[circle[1 % circle.len()]].case.id;
        let need = first.case.needs.iter().position(|need| need == next);
        let at = need.map_or(first.id_at, |need| first.needs_at[need]);
        let message = if circle.len() == 1 {
            "the case needs itself".to_owned()
        } else {
            format!("cases need each other in a circle: {}", names.join(" → "))
        };
        cx.error(at, message).help("so none of them could ever run");
    }
}

/// Walks along needs that were never settled until a case comes twice.
fn circle_from(
    start: usize,
    needs: &[Vec<usize>],
    left: &[usize],
    told: &mut [bool],
) -> Option<Vec<usize>> {
    let mut walk = Vec::new();
    let mut case = start;
    loop {
        if told[case] {
            let begin = walk.iter().position(|seen| *seen == case)?;
            return Some(walk.split_off(begin));
        }
        told[case] = true;
        walk.push(case);
        case = *needs[case].iter().find(|need| left[**need] > 0)?;
    }
}
