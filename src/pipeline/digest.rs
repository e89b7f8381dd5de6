//! Digests that tell whether a definition changed.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::spec::{Case, Pipeline, Suite, SuiteCommand};

/// The digest of what a case does: steps, shape, bounds, deadline; not its name, area or priority.
pub(crate) fn of_case(case: &Case, file: &Path) -> String {
    let mut digest = DefinitionDigest::new(file);
    for step in &case.steps {
        digest.add(step);
    }
    digest.add(&(case.shape, &case.latency, case.timeout));
    digest.finish()
}

/// The digest of what a command of a suite does; not its name, area or priority.
pub(crate) fn of_command(command: &SuiteCommand, file: &Path) -> String {
    let mut digest = DefinitionDigest::new(file);
    digest.add(&(&command.run, &command.list, &command.rerun, &command.results));
    digest.add(&(&command.env, &command.env_pass, command.shards));
    digest.finish()
}

/// The digest of what defines the cases of a suite. Names, owners and the like do not count.
pub(crate) fn of_suite(suite: &Suite, file: &Path) -> String {
    let mut digest = DefinitionDigest::new(file);
    for group in &suite.groups {
        group.setup.iter().chain(&group.teardown).for_each(|step| digest.add(step));
        for case in &group.cases {
            digest.add(&(&case.id, &case.digest, &case.needs));
        }
    }
    digest.add(&suite.commands);
    digest.finish()
}

/// The digest of all that stands around the suite: vars, secrets, identities, deploy, ready, controls.
pub(crate) fn of_config(pipeline: &Pipeline) -> String {
    let mut digest = DefinitionDigest::new(&pipeline.file);
    digest.add(&pipeline.vars);
    digest.add(&pipeline.secrets);
    digest.add(&pipeline.identities);
    digest.add(&pipeline.deploy);
    digest.add(&pipeline.ready);
    digest.add(&pipeline.controls);
    digest.finish()
}

/// The SHA-256 of parts of a definition as JSON, part after part.
struct DefinitionDigest {
    hasher: Sha256,
    /// How texts begin that are paths from where the program stands: that must not make another
    /// definition of it.
    dir: Option<String>,
}

impl DefinitionDigest {
    fn new(file: &Path) -> Self {
        let dir = file.parent().and_then(Path::to_str).filter(|dir| !dir.is_empty());
        let quoted = dir.map(|dir| Value::from(format!("{}/", dir.trim_end_matches('/'))));
        let dir = quoted.map(|dir| dir.to_string().trim_end_matches('"').to_owned());
        Self { hasher: Sha256::new(), dir }
    }

    fn add<T: Serialize>(&mut self, part: &T) {
        let json = serde_json::to_string(part).expect("a spec has text keys only");
        let json = match &self.dir {
            Some(dir) => json.replace(dir.as_str(), "\""),
            None => json,
        };
        self.hasher.update(json.as_bytes());
        self.hasher.update(b"\n");
    }

    /// The first twelve hex digits.
    fn finish(self) -> String {
        hex::encode(self.hasher.finalize())[..12].to_owned()
    }
}
