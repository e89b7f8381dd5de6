//! Result files of real tools, read and compared with what independent readers found in them
//! (`tests/data/corpus/README.md`).

#![allow(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

#[path = "ingest/clusters.rs"]
mod clusters;
#[path = "ingest/corpus.rs"]
mod corpus;
#[path = "ingest/damage.rs"]
mod damage;
#[path = "ingest/files.rs"]
mod files;
#[path = "ingest/pairs.rs"]
mod pairs;
#[path = "ingest/pitfalls.rs"]
mod pitfalls;
