//! Where the state folder keeps what. Names from outside never become path components as they are.

use std::path::{Path, PathBuf};

use crate::domain::event::CommandRun;
use crate::domain::names::PipelineName;
use crate::domain::outcome::Phase;
use crate::domain::revision::Sha;

/// The state folder.
#[derive(Debug, Clone)]
pub struct StatePaths {
    root: PathBuf,
}

impl StatePaths {
    /// The state folder at this (absolute) path.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Git mirrors.
    pub fn mirrors(&self) -> PathBuf {
        self.root.join("mirrors")
    }

    /// The checkout of a cycle, relative to the state folder.
    pub fn checkout(pipeline: &PipelineName, cycle: u32, sha: &Sha) -> PathBuf {
        Path::new("checkouts").join(pipeline.as_str()).join(format!("{cycle:04}-{}", sha.short()))
    }

    /// The checkouts of a pipeline's cycles.
    pub fn checkouts(&self, pipeline: &PipelineName) -> PathBuf {
        self.root.join("checkouts").join(pipeline.as_str())
    }

    /// What one cycle runs and what it writes, relative to the state folder.
    pub fn cycle_runs(pipeline: &PipelineName, cycle: u32) -> PathBuf {
        Path::new("runs").join(pipeline.as_str()).join(format!("{cycle:04}"))
    }

    /// The supervisor's folder of one step of that phase, relative to the state folder.
    pub fn step_run(
        pipeline: &PipelineName,
        cycle: u32,
        phase: Phase,
        index: u32,
        attempt: u32,
    ) -> PathBuf {
        Self::cycle_runs(pipeline, cycle).join(format!("{phase}-{:02}-{attempt}", index + 1))
    }

    /// The folder of one run of a suite's command, relative to the state folder.
    pub fn command_run(
        pipeline: &PipelineName,
        cycle: u32,
        index: usize,
        run: &CommandRun,
    ) -> PathBuf {
        let CommandRun { part, attempt, shard, .. } = run;
        let shard = shard.map_or_else(String::new, |shard| format!("-{shard}"));
        let name = format!("suite-{:02}-{part}-{attempt}{shard}", index + 1);
        Self::cycle_runs(pipeline, cycle).join(name)
    }

    /// A path that is relative to the state folder, made absolute.
    pub fn absolute(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }
}
