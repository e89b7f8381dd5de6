//! What a cycle is asked to be, and the event that begins it.

use std::path::Path;

use crate::domain::event::{Definition, Queued, RunOptions};
use crate::domain::outcome::Trigger;
use crate::domain::revision::Sha;
use crate::domain::spec::Pipeline;

use super::owner::process_token;

/// A cycle that somebody asks for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The least number that it may get.
    pub least: u32,
    /// Its file, as it is shown.
    pub file: &'a Path,
    /// Where its reports go.
    pub reports: &'a Path,
    /// Parts of the pipeline that are not acted on, with the reason.
    pub not_acted_on: Vec<String>,
    /// Why.
    pub trigger: Trigger,
    /// The revision as it was asked for.
    pub requested: Option<String>,
    /// Commits whose cycles it takes the place of.
    pub taken_together: Vec<Sha>,
    /// How to run.
    pub options: RunOptions,
}

impl Request<'_> {
    /// The event that begins the cycle. The store gives the number: the least, or a later one.
    pub fn queued(self) -> Queued {
        let pipeline = self.pipeline;
        Queued {
            pipeline: pipeline.name.clone(),
            cycle: self.least,
            environment: pipeline.environment.clone(),
            trigger: self.trigger,
            requested: self.requested,
            taken_together: self.taken_together,
            definition: Definition {
                file: self.file.display().to_string(),
                config_digest: pipeline.config_digest.clone(),
                suite: pipeline.suite.as_ref().map(|suite| suite.name.clone()),
                suite_digest: pipeline.suite.as_ref().map(|suite| suite.digest.clone()),
                report_dir: self.reports.display().to_string(),
                impact: pipeline.report.impact.clone(),
                at_risk: pipeline.report.at_risk.clone(),
                not_acted_on: self.not_acted_on,
                idempotent_deploy: pipeline.deploy.as_ref().is_some_and(|deploy| deploy.idempotent),
                andon: env!("CARGO_PKG_VERSION").to_owned(),
            },
            options: self.options,
            queued_by: Some(process_token()),
        }
    }
}
