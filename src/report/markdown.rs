//! The report of a cycle as Markdown (SPEC section 8): thirteen parts in a fixed order.
//!
//! The reader is on call and wants to know what to do, so the worst comes first, long lists are cut
//! with a count, and a part with nothing to say is one line or left out. The whole is in the files
//! beside it. Every text from outside goes through `escape`.

mod actions;
mod changes;
mod comment;
mod culprit;
mod deploy;
mod events;
mod failure;
mod failures;
mod fixes;
mod headline;
mod impact;
mod infrastructure;
mod lists;
mod page;
mod reality;
mod search;
mod summary;
mod trend;
mod whys;

use crate::domain::escape;
use crate::domain::revision::Sha;
use crate::domain::state::CycleState;
use crate::report::view::View;
use page::Page;

pub use comment::comment;

/// At most so many rows of one list; the rest is counted.
const MAX_ROWS: usize = 40;
/// At most so many clusters are told in full; the rest is folded.
const FULL_CLUSTERS: usize = 3;

/// The report of a cycle. The same records give the same bytes.
pub fn render(state: &CycleState) -> String {
    render_view(&View::of(state))
}

/// The report of a cycle that is arranged already.
pub fn render_view(view: &View<'_>) -> String {
    let mut page = Page::default();
    headline::write(&mut page, view);
    summary::write(&mut page, view);
    if view.is_valid() {
        changes::write(&mut page, view);
        failures::write(&mut page, view);
        whys::write(&mut page, view);
        events::write(&mut page, view);
        infrastructure::write(&mut page, view);
        lists::write(&mut page, view);
    } else {
        failures::write_uncredited(&mut page, view);
        lists::write_unreached(&mut page, view);
    }
    reality::write(&mut page, view);
    deploy::write(&mut page, view);
    if view.is_valid() || view.is_unreached() {
        impact::write(&mut page, view);
    }
    actions::write(&mut page, view);
    trend::write(&mut page, view);
    page.finish()
}

/// A revision as a surface said it: a code span, ids cut to what people compare.
fn served(said: &str) -> String {
    match Sha::parse(said.trim()) {
        Ok(sha) => short(&sha),
        Err(_) => escape::code(said),
    }
}

/// The short form of a commit as a code span.
fn short(sha: &Sha) -> String {
    format!("`{}`", sha.short())
}

/// `… and 950 more, in cycle-0007.json`, when a list was cut.
fn cut_note(view: &View<'_>, left_out: usize) -> Option<String> {
    (left_out > 0).then(|| {
        let more = super::words::number(left_out as u64);
        format!("… and {more} more, in `{}.json`", view.file_stem())
    })
}
