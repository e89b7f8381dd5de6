//! Commits ever seen on watched branches or tested, and what became of them.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::domain::commit::{Echo, SeenBefore};
use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;
use crate::domain::revision::{Revision, Sha};
use crate::store::sqlite::cycles::{corrupt, instant, optional_word};
use crate::store::sqlite::row::row_struct;
use crate::store::{CommitFate, CommitRow, Movement, Result, SeenCommit, TriggerId};

/// The rule of a commit that no rule names, in a movement that asks for no cycle.
const NOTHING_TO_RUN: &str = "nothing to run for";
/// At most so many rows of commits that are asked for by name.
const MAX_NAMED: u32 = 1_000;

/// Writes down the commits of a movement that no cycle covers yet, and answers which of them wait
/// for `trigger` now. One that a cycle covers, or that waits, keeps its fate.
pub(super) async fn remember(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    movement: &Movement,
    trigger: Option<TriggerId>,
) -> Result<Vec<Sha>> {
    let mut waiting = Vec::new();
    for commit in &movement.commits {
        let (skipped_by, trigger) = match (commit.skipped_by.as_deref(), trigger) {
            (Some(rule), _) => (Some(rule), None),
            (None, Some(trigger)) => (None, Some(trigger)),
            (None, None) => (Some(NOTHING_TO_RUN), None),
        };
        let place = Place { pipeline_id, branch: &movement.branch, at: movement.at };
        let is_written = put(&mut *db, &place, commit, skipped_by, trigger).await?;
        if is_written && trigger.is_some() {
            waiting.push(commit.sha.clone());
        }
    }
    Ok(waiting)
}

/// Where and when commits were seen.
struct Place<'a> {
    pipeline_id: i64,
    branch: &'a str,
    at: Timestamp,
}

/// Writes one down in place of what was known, unless that lasts. A new row gets a new place in
/// the order: it is news again.
async fn put(
    db: &mut SqliteConnection,
    place: &Place<'_>,
    commit: &SeenCommit,
    skipped_by: Option<&str>,
    trigger: Option<TriggerId>,
) -> Result<bool> {
    let written = sqlx::query(
        "INSERT OR REPLACE INTO seen_commit
             (pipeline_id, branch, sha, subject, author, seen_at_us, skipped_by, trigger_id, echo)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
         WHERE NOT EXISTS (
             SELECT 1 FROM seen_commit s JOIN trigger t ON t.id = s.trigger_id
             WHERE s.pipeline_id = ?1 AND s.branch = ?2 AND s.sha = ?3 AND t.dropped IS NULL)",
    )
    .bind(place.pipeline_id)
    .bind(place.branch)
    .bind(commit.sha.as_str())
    .bind(commit.subject.as_str())
    .bind(commit.author.as_str())
    .bind(place.at.as_microsecond())
    .bind(skipped_by)
    .bind(trigger.map(|trigger| trigger.0))
    .bind(commit.echo.as_str())
    .execute(db)
    .await?;
    Ok(written.rows_affected() > 0)
}

row_struct! {
    struct StoredCommit {
        sha: String,
        branch: String,
        subject: String,
        author: String,
        seen_at_us: i64,
        skipped_by: Option<String>,
        requested: Option<String>,
        dropped: Option<String>,
        cycle: Option<u32>,
        verdict: Option<String>,
        held: Option<bool>,
        tested: Option<String>,
    }
}

impl StoredCommit {
    fn into_row(self) -> Result<CommitRow> {
        let verdict = optional_word("verdict", self.verdict.as_deref(), Verdict::parse)?;
        // What a cycle was asked to test counts until it is known what it does test.
        let run_for = self.tested.or(self.requested);
        let is_run_for = run_for.as_deref() == Some(self.sha.as_str());
        let held = self.held.unwrap_or(false);
        let fate = match (self.skipped_by, self.dropped, self.cycle) {
            // What was passed over may have been tested all the same, as by hand.
            (_, _, Some(cycle)) if is_run_for => CommitFate::Tested { cycle, verdict, held },
            (Some(rule), _, _) => CommitFate::Skipped { rule },
            (None, Some(why), _) => CommitFate::Dropped { why },
            (None, None, Some(cycle)) => CommitFate::TakenTogether { cycle, verdict, held },
            (None, None, None) => CommitFate::Waiting,
        };
        Ok(CommitRow {
            sha: Sha::parse(&self.sha).map_err(corrupt)?,
            branch: self.branch,
            subject: self.subject,
            author: self.author,
            seen_at: instant(self.seen_at_us)?,
            fate,
        })
    }
}

/// The commits seen or tested last, newest first.
pub(super) async fn list(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    limit: u32,
) -> Result<Vec<CommitRow>> {
    let newest = sqlx::query_as(AssertSqlSafe(seen_sql(NEWEST)));
    let seen = newest.bind(pipeline.as_str()).bind(limit).fetch_all(&mut *db).await?;
    let newest = sqlx::query_as(AssertSqlSafe(tested_unseen_sql("")));
    let unseen = newest.bind(pipeline.as_str()).bind(limit).fetch_all(db).await?;
    in_order(seen, unseen, limit)
}

/// The commits of these names, newest first.
pub(super) async fn named(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    short: &[String],
) -> Result<Vec<CommitRow>> {
    let names = serde_json::to_string(short).map_err(corrupt)?;
    let seen = sqlx::query_as(AssertSqlSafe(seen_sql(NAMED)));
    let seen = seen.bind(pipeline.as_str()).bind(MAX_NAMED).bind(&names);
    let seen = seen.fetch_all(&mut *db).await?;
    let unseen = sqlx::query_as(AssertSqlSafe(tested_unseen_sql(TESTED_NAMED)));
    let unseen = unseen.bind(pipeline.as_str()).bind(MAX_NAMED).bind(&names);
    in_order(seen, unseen.fetch_all(db).await?, MAX_NAMED)
}

/// Both kinds of commits, newest first.
fn in_order(
    seen: Vec<StoredCommit>,
    unseen: Vec<StoredTested>,
    limit: u32,
) -> Result<Vec<CommitRow>> {
    let unseen: Result<Vec<CommitRow>> = unseen.into_iter().map(StoredTested::into_row).collect();
    let mut unseen = unseen?.into_iter().peekable();
    let mut rows = Vec::with_capacity(seen.len());
    // Each list keeps its own order; between the two only the clock can tell.
    for row in seen {
        let row = row.into_row()?;
        while let Some(earlier) = unseen.next_if(|other| other.seen_at > row.seen_at) {
            rows.push(earlier);
        }
        rows.push(row);
    }
    rows.extend(unseen);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(rows)
}

row_struct! {
    struct StoredTested {
        sha: String,
        revision_info: String,
        first_at_us: i64,
        cycle: u32,
        verdict: Option<String>,
        held: bool,
    }
}

impl StoredTested {
    fn into_row(self) -> Result<CommitRow> {
        let revision: Revision = serde_json::from_str(&self.revision_info).map_err(corrupt)?;
        let verdict = optional_word("verdict", self.verdict.as_deref(), Verdict::parse)?;
        Ok(CommitRow {
            sha: Sha::parse(&self.sha).map_err(corrupt)?,
            branch: revision.branch.unwrap_or_default(),
            subject: revision.subject,
            author: revision.author,
            seen_at: instant(self.first_at_us)?,
            fate: CommitFate::Tested { cycle: self.cycle, verdict, held: self.held },
        })
    }
}

/// Commits that a cycle tested and that were never seen to arrive: the first of a pipeline, and those of a
/// person or a schedule.
///
/// Of each commit only a few numbers are sorted; what is shown is read for those that are. A cycle of the whole
/// suite with a result knows best, else the newest: `best` puts the former above all numbers.
fn tested_unseen_sql(which: &str) -> String {
    format!(
        "WITH tested AS (
        SELECT c.pipeline_id, c.revision, min(c.number) AS first, min(c.queued_at_us) AS first_at_us,
               max(c.number + CASE WHEN c.only_cases IS NULL AND c.trigger_kind <> 'culprit'
                                        AND c.verdict IN ('green', 'red', 'incomplete')
                                   THEN 4294967296 ELSE 0 END) % 4294967296 AS best
        FROM cycle c
        WHERE c.pipeline_id = (SELECT id FROM pipeline WHERE name = ?1) AND c.revision_info IS NOT NULL
          -- By its name once more: a list that depends on a row is made for each row anew.
          AND c.revision NOT IN (SELECT s.sha FROM seen_commit s JOIN pipeline p ON p.id = s.pipeline_id
                                 WHERE p.name = ?1)
          {which}
        GROUP BY c.revision ORDER BY first DESC LIMIT ?2)
    SELECT t.revision AS sha, c.revision_info, t.first_at_us, c.number AS cycle, c.verdict, c.held
    FROM tested t JOIN cycle c ON c.pipeline_id = t.pipeline_id AND c.number = t.best
    ORDER BY t.first DESC"
    )
}

/// Of those: these.
const TESTED_NAMED: &str = "AND substr(c.revision, 1, 7) IN (SELECT value FROM json_each(?3))";

/// The commits seen last.
const NEWEST: &str = "pipeline p JOIN seen_commit s ON s.pipeline_id = p.id";
/// These commits. They are looked for branch by branch, as the rows are kept, instead of among all that
/// were ever seen; a branch that is gone keeps its row.
const NAMED: &str = "pipeline p
        CROSS JOIN branch_cursor b ON b.pipeline_id = p.id
        CROSS JOIN json_each(?3) k
        CROSS JOIN seen_commit s ON s.pipeline_id = p.id AND s.branch = b.branch
                                 AND s.sha >= k.value AND s.sha < k.value || 'g'";

/// Commits that were seen to arrive. All later cycles are walked over once, and not once for each commit.
fn seen_sql(which: &str) -> String {
    format!(
        "WITH page AS MATERIALIZED (
        SELECT s.id, s.pipeline_id, s.sha, s.branch, s.subject, s.author, s.seen_at_us, s.skipped_by,
               t.requested, t.dropped, t.cycle,
               CASE WHEN t.id IS NULL OR t.dropped IS NOT NULL THEN 0 ELSE t.cycle END AS after
        FROM {which}
        LEFT JOIN trigger t ON t.id = s.trigger_id
        WHERE p.name = ?1
        ORDER BY s.id DESC LIMIT ?2),
    -- A later cycle of the whole suite on that very commit knows better; one of a commit
    -- that was passed over is all there is.
    later AS MATERIALIZED (
        SELECT n.revision, max(n.number) AS number FROM cycle n
        WHERE n.pipeline_id = (SELECT pipeline_id FROM page)
          AND n.number > (SELECT min(after) FROM page)
          AND n.revision IN (SELECT sha FROM page)
          AND n.only_cases IS NULL AND n.trigger_kind <> 'culprit'
          AND n.verdict IN ('green', 'red', 'incomplete')
        GROUP BY n.revision)
    SELECT s.sha, s.branch, s.subject, s.author, s.seen_at_us, s.skipped_by, s.requested, s.dropped,
           coalesce(c.number, s.cycle) AS cycle, c.verdict, c.held, c.revision AS tested
    FROM page s
    LEFT JOIN later l ON l.revision = s.sha AND l.number > s.after
    LEFT JOIN cycle c ON c.pipeline_id = s.pipeline_id AND c.number = coalesce(l.number, s.cycle)
    ORDER BY s.id DESC"
    )
}

row_struct! {
    struct StoredBefore {
        sha: String,
        branch: String,
        seen_at_us: i64,
        echo: Option<String>,
        cycle: Option<u32>,
    }
}

/// The commits seen last, newest first, each with the cycle that its arrival started.
pub(super) async fn seen_before(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    limit: u32,
) -> Result<Vec<SeenBefore>> {
    let rows: Vec<StoredBefore> = sqlx::query_as(
        "SELECT s.sha, s.branch, s.seen_at_us, s.echo, t.cycle
         FROM pipeline p
         JOIN seen_commit s ON s.pipeline_id = p.id
         LEFT JOIN trigger t ON t.id = s.trigger_id
         WHERE p.name = ?
         ORDER BY s.id DESC LIMIT ?",
    )
    .bind(pipeline.as_str())
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(StoredBefore::into_seen).collect()
}

impl StoredBefore {
    fn into_seen(self) -> Result<SeenBefore> {
        Ok(SeenBefore {
            sha: Sha::parse(&self.sha).map_err(corrupt)?,
            branch: self.branch,
            at: instant(self.seen_at_us)?,
            echo: optional_word("echo", self.echo.as_deref(), Echo::parse)?.unwrap_or_default(),
            cycle: self.cycle,
        })
    }
}

#[cfg(test)]
mod tests;
