//! What a cycle's native steps know and share: variables, secrets, identities, built-in names, the
//! client, and what must be masked.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::identity::Identities;
use super::lookup::{EnvLookup, pieces_of};
use crate::domain::hosts::HostList;
use crate::domain::redact::Secret;
use crate::domain::revision::Revision;
use crate::domain::spec::{Identity, Step};
use crate::domain::template::{JsonTemplate, Lookup, Piece, Template, UnknownName, text_of};
use crate::probe::{Client, Evidencer, HostRules, StandIn, WallClock};

/// Where variables of our own environment come from.
pub type HostEnv = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a cycle is about.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The pipeline's name.
    pub pipeline: String,
    /// The environment's name.
    pub environment: String,
    /// The cycle's number; 0 outside any.
    pub cycle: u32,
    /// The revision; `None` outside any cycle.
    pub revision: Option<Revision>,
}

/// Everything that a [`RunEnv`] is made of.
pub struct EnvParts<'a> {
    /// What the cycle is about.
    pub facts: Facts,
    /// The pipeline's variables.
    pub vars: &'a [(String, JsonTemplate)],
    /// The pipeline's secrets, loaded.
    pub secrets: Vec<(String, Secret)>,
    /// The pipeline's identities.
    pub identities: &'a [Identity],
    /// The allow-list of hosts.
    pub hosts: Option<&'a [Template]>,
    /// Where variables of our own environment come from.
    pub host_env: HostEnv,
    /// The wall clock.
    pub clock: WallClock,
}

/// A variable or host that refers to something without a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvError {
    /// In `vars`.
    #[error("vars.{name}: {source}")]
    Var {
        /// The variable.
        name: String,
        /// What is missing.
        #[source]
        source: UnknownName,
    },
    /// In `hosts`.
    #[error("hosts: {0}")]
    Host(#[source] UnknownName),
}

/// What a cycle's native steps know and share. Clones are cheap and share everything.
#[derive(Clone)]
pub struct RunEnv {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) facts: Facts,
    pub(super) vars: Vec<Var>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) identities: Identities,
    pub(super) host_env: HostEnv,
    pub(super) clock: WallClock,
    pub(super) client: Client,
    pub(super) hosts: Option<HostList>,
    /// Who is told of each step before it is made, in a rehearsal.
    pub(super) prompt: Option<Prompt>,
}

/// Told of each step before it is made, with the values that names have then.
pub type Prompt = Arc<dyn Fn(&Step, &dyn Lookup) + Send + Sync>;

/// One variable.
pub(super) struct Var {
    pub(super) name: String,
    pub(super) template: JsonTemplate,
    /// Its value, where that does not depend on the step that asks.
    pub(super) value: Option<Value>,
    /// The same as text, told apart by who made it.
    pub(super) pieces: Option<Vec<Piece>>,
    /// Whether a secret or a token is part of it.
    pub(super) secret: bool,
}

impl RunEnv {
    /// Puts an environment together; variables are filled in once, so that one made of `${uuid}`
    /// is the same for a whole cycle. Those that depend on a step are filled in by the step.
    ///
    /// # Errors
    /// When a variable or a host refers to something that never has a value.
    pub fn new(parts: EnvParts<'_>) -> Result<Self, EnvError> {
        let values = parts.secrets.iter().map(|(_, secret)| secret.expose().to_owned());
        let evidencer = Evidencer::new(values);
        // A first one, of which only variables are asked, to find out what the client may reach.
        let client = Client::new(HostRules::any(), evidencer.clone(), parts.clock.clone());
        let shared = Shared {
            facts: parts.facts,
            vars: Vec::new(),
            secrets: parts.secrets.into_iter().collect(),
            identities: Identities::new(parts.identities),
            host_env: parts.host_env,
            clock: parts.clock.clone(),
            client,
            hosts: None,
            prompt: None,
        };
        let mut env = Self { shared: Arc::new(shared) };
        for (name, template) in parts.vars {
            let var = env.resolve(name, template)?;
            env.edit(|shared| shared.vars.push(var));
        }
        if let Some(hosts) = parts.hosts {
            let lookup = EnvLookup::of(&env);
            let hosts =
                hosts.iter().map(|host| host.render(&lookup)).collect::<Result<Vec<_>, _>>();
            let hosts = hosts.map_err(EnvError::Host)?;
            let list = HostList::new(hosts.iter().cloned());
            let client = Client::new(HostRules::only(hosts), evidencer, parts.clock);
            env.edit(|shared| (shared.client, shared.hosts) = (client, Some(list)));
        }
        Ok(env)
    }

    /// The same environment without a network: the stand-in answers in place of every service, and
    /// is told by `prompt` which step comes next. `hosts` allow nothing here, as nothing is reached.
    ///
    /// # Errors
    /// When a variable refers to something that never has a value.
    pub fn rehearsing(
        parts: EnvParts<'_>,
        stand_in: StandIn,
        prompt: Prompt,
    ) -> Result<Self, EnvError> {
        let clock = parts.clock.clone();
        let mut env = Self::new(EnvParts { hosts: None, ..parts })?;
        let client = Client::with_stand_in(stand_in, env.evidencer().clone(), clock);
        env.edit(|shared| (shared.client, shared.prompt) = (client, Some(prompt)));
        Ok(env)
    }

    /// The hosts of the environment, where the pipeline names them.
    pub fn hosts(&self) -> Option<&HostList> {
        self.shared.hosts.as_ref()
    }

    fn edit(&mut self, change: impl FnOnce(&mut Shared)) {
        change(Arc::get_mut(&mut self.shared).expect("nobody shares it while it is made"));
    }

    fn resolve(&self, name: &str, template: &JsonTemplate) -> Result<Var, EnvError> {
        let (mut by_step, mut secret) = (false, false);
        template.for_each_reference(&mut |reference| {
            let earlier = self.shared.vars.iter().find(|var| var.name == reference);
            by_step |= reference == "index"
                || reference.starts_with("identity.")
                || earlier.is_some_and(|var| var.value.is_none());
            secret |= reference.starts_with("secret.")
                || reference.starts_with("identity.")
                || earlier.is_some_and(|var| var.secret);
        });
        let mut var = Var {
            name: name.to_owned(),
            template: template.clone(),
            value: None,
            pieces: None,
            secret,
        };
        if !by_step {
            let lookup = EnvLookup::of(self);
            let failed = |source| EnvError::Var { name: name.to_owned(), source };
            let value = template.render(&lookup).map_err(failed)?;
            let mut pieces = pieces_of(template, &lookup).unwrap_or_default();
            // One is made of the other, so that an address and a body never say two times of day.
            let value = match pieces.as_mut_slice() {
                [] => value,
                [whole] => {
                    whole.text = text_of(&value);
                    value
                }
                parts => parts.iter().map(|part| part.text.as_str()).collect::<String>().into(),
            };
            (var.value, var.pieces) = (Some(value), Some(pieces));
        }
        Ok(var)
    }

    /// The wall time.
    pub fn now(&self) -> jiff::Timestamp {
        self.shared.clock.now()
    }

    /// The client with which everything of this cycle is asked.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// What turns texts from outside into evidence.
    pub fn evidencer(&self) -> &Evidencer {
        self.shared.client.evidencer()
    }

    /// The variables that do not depend on a step, filled in.
    pub fn vars(&self) -> Vec<(String, Value)> {
        let filled = |var: &Var| Some((var.name.clone(), var.value.clone()?));
        self.shared.vars.iter().filter_map(filled).collect()
    }

    /// The secrets.
    pub fn secrets(&self) -> Vec<(String, Secret)> {
        self.shared.secrets.iter().map(|(name, secret)| (name.clone(), secret.clone())).collect()
    }

    /// The identities that some names refer to, by way of variables too.
    pub(super) fn identities_in(&self, names: &HashSet<String>) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut take = |reference: &str| {
            let name = reference.strip_prefix("identity.").and_then(|r| r.strip_suffix(".token"));
            if let Some(name) = name
                && !found.iter().any(|known| known == name)
            {
                found.push(name.to_owned());
            }
        };
        let mut wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
        for var in self.shared.vars.iter().rev().filter(|var| var.secret) {
            if wanted.contains(var.name.as_str()) {
                var.template.for_each_reference(&mut |reference| {
                    wanted.insert(reference);
                });
            }
        }
        wanted.into_iter().for_each(&mut take);
        found
    }
}

impl std::fmt::Debug for RunEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunEnv").field("facts", &self.shared.facts).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod testing {
    #![allow(clippy::unwrap_used)]
    //! Environments for the tests of this module.

    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    /// An environment with these variables and secrets.
    pub(in crate::suite) fn env(vars: &[(&str, Value)], identities: &[Identity]) -> RunEnv {
        let vars: Vec<(String, JsonTemplate)> = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), JsonTemplate::parse(value).unwrap()))
            .collect();
        RunEnv::new(EnvParts {
            facts: Facts {
                pipeline: "chat".to_owned(),
                environment: "staging".to_owned(),
                cycle: 7,
                revision: None,
            },
            vars: &vars,
            secrets: vec![("key".to_owned(), Secret::new("the-secret-key"))],
            identities,
            hosts: None,
            host_env: Arc::new(|name| (name == "HOME").then(|| "/home/x".to_owned())),
            clock: WallClock::new(|| Timestamp::from_second(1_700_000_000).unwrap()),
        })
        .unwrap()
    }

    #[test]
    fn variables_are_filled_in_once() {
        let env = env(
            &[("run", json!("${uuid}")), ("path", json!("${env.HOME}/${run}")), ("n", json!(3))],
            &[],
        );
        let vars: BTreeMap<String, Value> = env.vars().into_iter().collect();
        assert_eq!(vars["path"], json!(format!("/home/x/{}", vars["run"].as_str().unwrap())));
        assert_eq!(vars["n"], json!(3));
    }

    #[test]
    fn identities_are_found_behind_variables() {
        let env =
            env(&[("auth", json!("Bearer ${identity.bob.token}")), ("plain", json!("x"))], &[]);
        let names =
            ["auth", "plain", "identity.ann.token"].map(str::to_owned).into_iter().collect();
        let mut found = env.identities_in(&names);
        found.sort();
        assert_eq!(found, ["ann", "bob"]);
    }
}
