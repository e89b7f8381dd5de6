//! What a pipeline gives its cases, with stand-ins for all that only a real environment has: nobody needs
//! secrets, or an account, to see whether a case can fail.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::redact::Secret;
use crate::domain::references::visit_step;
use crate::domain::revision::{Revision, Sha};
use crate::domain::spec::{
    CaseGroup, Identity, IdentityKind, JwtAlgorithm, JwtSpec, Pipeline, Step,
};
use crate::domain::template::{JsonTemplate, Template};
use crate::probe::{StandIn, WallClock};
use crate::suite::{EnvError, EnvParts, Facts, HostEnv, Prompt, RunEnv};

/// The revision of every rehearsal.
const REVISION: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";
/// How long tokens are good.
const TOKEN_MS: i64 = 900_000;

/// What the cases of a pipeline, or of a suite file, are given.
pub struct Given {
    vars: Vec<(String, JsonTemplate)>,
    secrets: Vec<String>,
    identities: Vec<Identity>,
    host_env: HostEnv,
    clock: WallClock,
}

impl Given {
    /// What a pipeline gives; variables of the environment that are not set have a stand-in.
    pub fn by_pipeline(pipeline: &Pipeline, host_env: HostEnv, clock: WallClock) -> Self {
        Self {
            vars: pipeline.vars.clone(),
            secrets: pipeline.secrets.iter().map(|secret| secret.name.clone()).collect(),
            identities: pipeline.identities.iter().map(|who| identity(&who.name)).collect(),
            host_env: with_stand_ins(host_env),
            clock,
        }
    }

    /// What a suite file needs of a pipeline that nobody named: a stand-in for each name that it does
    /// not explain itself.
    pub fn by_need(group: &CaseGroup, host_env: HostEnv, clock: WallClock) -> Self {
        let steps = || group.setup.iter().chain(group.cases.iter().flat_map(|case| &case.steps));
        let captured: BTreeSet<&str> =
            steps().flat_map(|step: &Step| &step.capture).map(|c| c.name.as_str()).collect();
        let mut names = BTreeSet::new();
        steps().for_each(|step| {
            visit_step(step, &mut |name| {
                names.insert(name.to_owned());
            });
        });
        let dotted = |prefix: &str, end: &str| -> Vec<String> {
            let rest =
                |name: &String| Some(name.strip_prefix(prefix)?.strip_suffix(end)?.to_owned());
            names.iter().filter_map(rest).collect()
        };
        let is_var = |name: &&String| {
            !name.contains('.') && !captured.contains(name.as_str()) && !is_built_in(name)
        };
        let var =
            |name: &String| (name.clone(), JsonTemplate::Text(Template::literal(&stand_in(name))));
        Self {
            vars: names.iter().filter(is_var).map(var).collect(),
            secrets: dotted("secret.", ""),
            identities: dotted("identity.", ".token").iter().map(|name| identity(name)).collect(),
            host_env: with_stand_ins(host_env),
            clock,
        }
    }

    /// The variables.
    pub(super) fn vars(&self) -> &[(String, JsonTemplate)] {
        &self.vars
    }

    pub(super) fn clock(&self) -> &WallClock {
        &self.clock
    }

    pub(super) fn env(&self, stand_in: StandIn, prompt: Prompt) -> Result<RunEnv, EnvError> {
        let secret =
            |name: &String| (name.clone(), Secret::new(format!("the stand-in of secret {name}")));
        let parts = EnvParts {
            facts: facts(),
            vars: &self.vars,
            secrets: self.secrets.iter().map(secret).collect(),
            identities: &self.identities,
            hosts: None,
            host_env: Arc::clone(&self.host_env),
            clock: self.clock.clone(),
        };
        RunEnv::rehearsing(parts, stand_in, prompt)
    }
}

fn facts() -> Facts {
    let revision = Revision {
        sha: Sha::parse(REVISION).expect("it has forty digits"),
        subject: "Rehearsal".to_owned(),
        author: "Andon".to_owned(),
        branch: None,
        time: Timestamp::UNIX_EPOCH,
    };
    Facts {
        pipeline: "rehearsal".to_owned(),
        environment: "rehearsal".to_owned(),
        cycle: 1,
        revision: Some(revision),
    }
}

/// Any token will do for a service that is made up.
fn identity(name: &str) -> Identity {
    let kind = IdentityKind::Jwt(JwtSpec {
        algorithm: JwtAlgorithm::HS256,
        key: Template::literal("the key of no service"),
        claims: vec![("sub".to_owned(), JsonTemplate::Plain(Value::from(name)))],
        header: vec![],
        expires_in_ms: TOKEN_MS,
    });
    Identity { name: name.to_owned(), kind }
}

fn with_stand_ins(host_env: HostEnv) -> HostEnv {
    Arc::new(move |name| Some(host_env(name).unwrap_or_else(|| stand_in(name))))
}

/// A value that most likely can stand where a name does: an address, a port, or a word that is a host too.
fn stand_in(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let says = |word: &str| name.contains(word);
    match () {
        () if says("ws") && (says("url") || says("base")) => "ws://stand-in.invalid".to_owned(),
        () if says("url") || says("uri") || says("base") => "http://stand-in.invalid".to_owned(),
        () if says("port") => "8080".to_owned(),
        () => "stand-in".to_owned(),
    }
}

fn is_built_in(name: &str) -> bool {
    let known = ["cycle", "pipeline", "environment", "index", "now", "unix_time", "uuid", "random"];
    known.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_fits_where_its_name_stands() {
        assert_eq!(stand_in("ws_url"), "ws://stand-in.invalid");
        assert_eq!(stand_in("BASE_URL"), "http://stand-in.invalid");
        assert_eq!(stand_in("LISTEN_PORT"), "8080");
        assert_eq!(stand_in("thread"), "stand-in");
    }
}
