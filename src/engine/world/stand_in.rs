//! A world for a cycle whose pipeline is gone: its file was renamed, deleted, or is broken.
//!
//! It knows no more than the cycle's own records say, and serves to bring that cycle to its end: a
//! command that runs is taken up and ended, results that are final are kept, the report is written.
//! Nothing new is started, no secret is read and no repository asked.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{After, Setup, World};
use crate::domain::event::Queued;
use crate::domain::redact::Masker;
use crate::domain::spec::{Cycles, Pipeline, Ready, ReportSpec, Until};
use crate::git;

/// What the records of a cycle tell of its pipeline: who it is, and nothing to do.
pub fn pipeline_of_records(queued: &Queued) -> Pipeline {
    let definition = &queued.definition;
    Pipeline {
        name: queued.pipeline.clone(),
        description: None,
        environment: queued.environment.clone(),
        hosts: None,
        vars: Vec::new(),
        secrets: Vec::new(),
        identities: Vec::new(),
        watch: None,
        schedules: Vec::new(),
        deploy: None,
        ready: Ready {
            timeout: Duration::ZERO,
            every: Duration::ZERO,
            successes: 1,
            surfaces: Vec::new(),
            checks: Vec::new(),
        },
        controls: Vec::new(),
        suite: None,
        cycles: Cycles { until: Until::Once, max: 1, no_progress: 1, pause: Duration::ZERO },
        culprit: None,
        report: ReportSpec {
            dir: Some(PathBuf::from(&definition.report_dir)),
            impact: definition.impact.clone(),
            at_risk: definition.at_risk.clone(),
            publish: None,
        },
        notify: Vec::new(),
        alarm: None,
        file: PathBuf::from(&definition.file),
        config_digest: definition.config_digest.clone(),
    }
}

impl World {
    /// The world of a pipeline that [`pipeline_of_records`] made up.
    pub fn of_records(setup: Setup) -> Self {
        let nowhere = git::Error::NotFound {
            what: git::Absent::Repository,
            repository: setup.pipeline.name.to_string(),
        };
        Self {
            suite: None,
            secrets: Vec::new(),
            masker: Masker::new(Vec::<String>::new()),
            env: Mutex::new(None),
            mirror: OnceCell::new_with(Some(Err(Arc::new(nowhere)))),
            fetched: OnceCell::new(),
            after: After::Nothing,
            setup,
        }
    }
}
