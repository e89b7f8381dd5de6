//! What a cycle says on the page of a pull request: the report's beginning, its failures and what to do, as
//! much of it as a forge takes.

use super::page::Page;
use super::{actions, changes, failures, headline};
use crate::domain::outcome::Verdict;
use crate::domain::state::CycleState;
use crate::report::view::View;

/// GitHub takes 65,536 characters, and no other forge less. What is below that is for the link to the whole.
const MAX_CHARS: usize = 60_000;
/// The title is no more than one among the comments.
const LOWER: usize = 2;

/// The comment, without what leads to the whole: who sends it knows where that is read.
pub fn comment(state: &CycleState) -> String {
    let mut view = View::of(state);
    view.stands_alone = true;
    // Failures in full and folded: fewer, until it fits.
    let shown = [(3, 20), (3, 5), (1, 0)].map(Some);
    for failures in shown.into_iter().chain([None]) {
        let text = written(&view, failures);
        if text.chars().count() <= MAX_CHARS {
            return text;
        }
    }
    shortest(&view)
}

fn written(view: &View<'_>, shown: Option<(usize, usize)>) -> String {
    let mut page = Page::lowered(LOWER);
    headline::write(&mut page, view);
    if !view.is_valid() {
        failures::write_uncredited(&mut page, view);
    } else if let Some((full, folded)) = shown {
        changes::write(&mut page, view);
        if !view.clusters().is_empty() {
            failures::write_at_most(&mut page, view, full, folded);
        }
    }
    if view.verdict() != Some(Verdict::Green) {
        actions::write(&mut page, view);
    }
    page.finish()
}

/// Only what stands at the top.
fn shortest(view: &View<'_>) -> String {
    let mut page = Page::lowered(LOWER);
    headline::write(&mut page, view);
    page.finish().chars().take(MAX_CHARS).collect()
}
