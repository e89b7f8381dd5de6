//! Notify: what of this cycle is news, stored with the end of the phase. Delivery is another's work, so
//! nothing that happens to it changes a verdict or keeps a cycle waiting.

use super::{World, phase_ended};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::engine::{EngineError, Journal};
use crate::notify::{self, Earlier};
use crate::store::{CycleRow, Projection};

/// So many cycles back, the last one that people were told of is found.
const LOOKED_BACK: u32 = 50;

impl World {
    pub(super) async fn notify(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let key = journal.key();
        let rows = journal.store().trend(&key.pipeline, key.cycle, LOOKED_BACK).await?;
        let earlier: Vec<Earlier> = rows.iter().rev().filter_map(earlier).collect();
        let messages = notify::finished(self.pipeline(), journal.state(), &earlier);
        let detail = match messages.len() {
            0 => "no news".to_owned(),
            1 => "1 message".to_owned(),
            n => format!("{n} messages"),
        };
        let ended = phase_ended(journal, Phase::Notify, PhaseOutcome::Passed, Some(detail));
        journal.note_with(vec![ended], Projection { messages, ..Projection::default() })
    }
}

fn earlier(row: &CycleRow) -> Option<Earlier> {
    row.finished_at?;
    Some(Earlier {
        verdict: row.summary.verdict?,
        void_reason: row.void_reason,
        only_some: row.summary.only.is_some(),
    })
}
