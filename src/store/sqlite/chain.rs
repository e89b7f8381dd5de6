//! The links of deploy records: written with the records, and walked over when `doctor` asks.

use std::collections::BTreeMap;

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::cycles::corrupt;
use super::row::row_struct;
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::store::chain::{Broken, DeployChains, End, Found, Link, LinkDigest, RecordKey, Row};
use crate::store::{CycleKey, Result};

/// Links that are read at once: their records may have a piece of output each.
const PAGE: u32 = 100;

/// Links of one INSERT.
const CHUNK: usize = 100;

/// A deploy record that is about to be written.
pub(super) struct Linked {
    pub seq: u64,
    pub content: LinkDigest,
}

/// Adds links to the chain of an environment, in the transaction that writes their records.
pub(super) async fn put(
    db: &mut SqliteConnection,
    environment: &str,
    pipeline_id: i64,
    cycle: &CycleKey,
    records: &[Linked],
) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let environment = EnvironmentName::parse(environment).map_err(corrupt)?;
    let mut end = end_of(&mut *db, environment.clone()).await?;
    for chunk in records.chunks(CHUNK) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO deploy_link (environment, position, pipeline_id, cycle, seq, content, digest) ",
        );
        insert.push_values(chunk, |mut row, record| {
            let key = RecordKey { cycle: cycle.clone(), seq: record.seq };
            let link = end.link(key, record.content);
            row.push_bind(environment.as_str())
                .push_bind(integer(link.position))
                .push_bind(pipeline_id)
                .push_bind(cycle.cycle)
                .push_bind(integer(record.seq))
                .push_bind(link.content.to_vec())
                .push_bind(link.digest.to_vec());
        });
        // Few lengths come often, each with a text of its own.
        insert.build().persistent(chunk.len() <= 4).execute(&mut *db).await?;
    }
    Ok(())
}

async fn end_of(db: &mut SqliteConnection, environment: EnvironmentName) -> Result<End> {
    let last: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT position, digest FROM deploy_link WHERE environment = ?
         ORDER BY position DESC LIMIT 1",
    )
    .bind(environment.as_str())
    .fetch_optional(db)
    .await?;
    Ok(match last {
        Some((position, digest)) => {
            End::at(environment, position.unsigned_abs(), digest_of(&digest))
        }
        None => End::of_none(environment),
    })
}

/// Walks over every chain, and looks for records that have no link.
pub(super) async fn check(db: &mut SqliteConnection) -> Result<DeployChains> {
    let environments: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT environment FROM deploy_link ORDER BY environment")
            .fetch_all(&mut *db)
            .await?;
    let mut links = 0;
    let mut broken = BTreeMap::new();
    for environment in environments {
        let environment = EnvironmentName::parse(&environment).map_err(corrupt)?;
        let mut end = End::of_none(environment.clone());
        if let Some(first) = walk(&mut *db, &environment, &mut end).await? {
            broken.insert(environment, first);
        } else {
            links += end.links();
        }
    }
    for (environment, first) in unlinked(db).await? {
        broken.entry(environment).or_insert(first);
    }
    Ok(DeployChains { links, broken: broken.into_iter().collect() })
}

row_struct! {
    struct StoredLink {
        position: i64,
        pipeline: String,
        cycle: u32,
        seq: i64,
        content: Vec<u8>,
        digest: Vec<u8>,
        is_expired: bool,
        at_us: Option<i64>,
        kind: Option<String>,
        version: Option<i64>,
        payload: Option<String>,
    }
}

impl StoredLink {
    fn link(&self) -> Result<Link> {
        let pipeline = PipelineName::parse(&self.pipeline).map_err(corrupt)?;
        Ok(Link {
            position: self.position.unsigned_abs(),
            record: RecordKey {
                cycle: CycleKey::new(pipeline, self.cycle),
                seq: self.seq.unsigned_abs(),
            },
            content: digest_of(&self.content),
            digest: digest_of(&self.digest),
        })
    }

    fn found(&self) -> Found {
        if self.is_expired {
            return Found::Expired;
        }
        let (Some(at_us), Some(kind), Some(version), Some(payload)) =
            (self.at_us, &self.kind, self.version, &self.payload)
        else {
            return Found::Nothing;
        };
        Found::Record(Row { at_us, kind, version, payload }.digest())
    }
}

/// The first place of a chain that does not hold.
async fn walk(
    db: &mut SqliteConnection,
    environment: &EnvironmentName,
    end: &mut End,
) -> Result<Option<Broken>> {
    loop {
        let page: Vec<StoredLink> = sqlx::query_as(
            "SELECT l.position, p.name AS pipeline, l.cycle, l.seq, l.content, l.digest,
                    c.expired_at_us IS NOT NULL AS is_expired, e.at_us, e.kind, e.version, e.payload
             FROM deploy_link l JOIN pipeline p ON p.id = l.pipeline_id
             LEFT JOIN cycle c ON c.pipeline_id = l.pipeline_id AND c.number = l.cycle
             LEFT JOIN event e ON e.cycle_id = c.id AND e.seq = l.seq
             WHERE l.environment = ? AND l.position > ? ORDER BY l.position LIMIT ?",
        )
        .bind(environment.as_str())
        .bind(integer(end.links()))
        .bind(PAGE)
        .fetch_all(&mut *db)
        .await?;
        for stored in &page {
            if let Err(broken) = end.check(&stored.link()?, stored.found()) {
                return Ok(Some(broken));
            }
        }
        if page.len() < PAGE as usize {
            return Ok(None);
        }
    }
}

/// The first record of each environment that has no link, although it was recorded when there were links.
async fn unlinked(db: &mut SqliteConnection) -> Result<Vec<(EnvironmentName, Broken)>> {
    let rows: Vec<(String, String, u32, i64)> = sqlx::query_as(
        "SELECT c.environment, p.name, c.number, MIN(e.seq)
         FROM cycle c JOIN pipeline p ON p.id = c.pipeline_id
         JOIN event e ON e.cycle_id = c.id AND e.seq > c.unlinked_to
         WHERE c.expired_at_us IS NULL
             AND (e.kind IN ('revision_resolved', 'step_started', 'step_ended',
                             'rollback_planned', 'held', 'resumed')
                  OR e.kind = 'phase_ended' AND json_valid(e.payload)
                      AND e.payload ->> '$.phase' IN ('deploy', 'rollback'))
             AND NOT EXISTS (SELECT 1 FROM deploy_link l WHERE l.pipeline_id = c.pipeline_id
                             AND l.cycle = c.number AND l.seq = e.seq)
         GROUP BY c.id ORDER BY c.id DESC",
    )
    .fetch_all(db)
    .await?;
    let mut first = BTreeMap::new();
    for (environment, pipeline, number, seq) in rows {
        let pipeline = PipelineName::parse(&pipeline).map_err(corrupt)?;
        let record = RecordKey { cycle: CycleKey::new(pipeline, number), seq: seq.unsigned_abs() };
        let environment = EnvironmentName::parse(&environment).map_err(corrupt)?;
        // The newest come first, so that the oldest stays.
        first.insert(environment, Broken::Unlinked { record });
    }
    Ok(first.into_iter().collect())
}

/// A digest of another length was put there by hand, and follows from nothing.
fn digest_of(bytes: &[u8]) -> LinkDigest {
    bytes.try_into().unwrap_or([0xff; 32])
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
