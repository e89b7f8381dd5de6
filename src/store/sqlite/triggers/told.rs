//! Of which commits a forge was told that they are pending, and what became of them since.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;
use crate::domain::revision::Sha;
use crate::store::sqlite::cycles::{corrupt, optional_word, word};
use crate::store::sqlite::outbox;
use crate::store::sqlite::row::row_struct;
use crate::store::{
    CycleStanding, Heard, NewMessage, Result, StoreError, ToldWaiting, TriggerId, WaitingMark,
    WaitsNow,
};

row_struct! {
    struct StoredTold {
        id: i64,
        pipeline: String,
        sha: String,
        heard: String,
        requested: Option<String>,
        dropped: Option<String>,
        cycle: Option<u32>,
        revision: Option<String>,
        is_over: bool,
        held: bool,
        verdict: Option<String>,
        ran: u32,
        planned: u32,
    }
}

impl StoredTold {
    fn into_told(self) -> Result<ToldWaiting> {
        let sha = |text: &str| Sha::parse(text).map_err(corrupt);
        let standing = self.standing()?;
        let asked_for = || sha(self.requested.as_deref().unwrap_or_default());
        let now = match (self.dropped, self.cycle) {
            (Some(why), _) => WaitsNow::Dropped { why },
            (None, Some(number)) => WaitsNow::Cycle {
                asked_for: asked_for()?,
                number,
                revision: self.revision.as_deref().map(sha).transpose()?,
                standing,
            },
            (None, None) => WaitsNow::For(asked_for()?),
        };
        Ok(ToldWaiting {
            trigger: TriggerId(self.id),
            pipeline: PipelineName::parse(&self.pipeline).map_err(corrupt)?,
            sha: sha(&self.sha)?,
            heard: word("pending commit", &self.heard, Heard::parse)?,
            now,
        })
    }

    fn standing(&self) -> Result<CycleStanding> {
        if !self.is_over {
            return Ok(CycleStanding::Open { held: self.held });
        }
        let verdict = optional_word("verdict", self.verdict.as_deref(), Verdict::parse)?;
        let verdict = verdict.unwrap_or(Verdict::Cancelled);
        Ok(CycleStanding::Over { verdict, ran: self.ran, planned: self.planned })
    }
}

/// All of which that was told, and no end since.
pub(super) async fn list(db: &mut SqliteConnection) -> Result<Vec<ToldWaiting>> {
    let rows: Vec<StoredTold> = sqlx::query_as(
        "SELECT t.id, p.name AS pipeline, o.sha, o.heard, t.requested, t.dropped,
                c.number AS cycle,
                -- A cycle of selected cases tells nobody of its revision.
                CASE WHEN c.only_cases IS NULL THEN c.revision END AS revision,
                c.finished_at_us IS NOT NULL AS is_over, COALESCE(c.held, 0) AS held, c.verdict,
                COALESCE(c.passed + c.flaky + c.failed + c.errored, 0) AS ran,
                COALESCE(c.planned, 0) AS planned
         FROM told_commit o
         JOIN trigger t ON t.id = o.trigger_id
         JOIN pipeline p ON p.id = t.pipeline_id
         LEFT JOIN cycle c ON c.pipeline_id = t.pipeline_id AND c.number = COALESCE(
             -- The loop runs some again, as one that was void.
             (SELECT MAX(n.number) FROM cycle n
              JOIN cycle first ON first.pipeline_id = n.pipeline_id AND first.number = t.cycle
              WHERE n.pipeline_id = t.pipeline_id AND n.number >= t.cycle
                AND n.revision = first.revision
                AND n.only_cases IS NULL AND n.trigger_kind <> 'culprit'),
             t.cycle)
         ORDER BY o.trigger_id, o.sha",
    )
    .fetch_all(db)
    .await
    .map_err(StoreError::from)?;
    rows.into_iter().map(StoredTold::into_told).collect()
}

/// Writes marks, and the messages by which they become true.
pub(super) async fn mark(
    db: &mut SqliteConnection,
    marks: &[WaitingMark],
    messages: &[NewMessage],
    at: Timestamp,
) -> Result<()> {
    for WaitingMark { trigger, sha, heard } in marks {
        let query = match heard {
            Some(heard) => sqlx::query(
                "INSERT INTO told_commit (trigger_id, sha, heard) VALUES (?, ?, ?)
                 ON CONFLICT (trigger_id, sha) DO UPDATE SET heard = excluded.heard",
            )
            .bind(trigger.0)
            .bind(sha.as_str())
            .bind(heard.as_str()),
            None => sqlx::query("DELETE FROM told_commit WHERE trigger_id = ? AND sha = ?")
                .bind(trigger.0)
                .bind(sha.as_str()),
        };
        query.execute(&mut *db).await?;
    }
    outbox::put_all(db, messages, at).await?;
    Ok(())
}
