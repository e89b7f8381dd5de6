//! Which `${names}` exist where, and which of those that are used do not.
//!
//! Captures of a suite's setup are there for every case, also for cases that stand before it in the text, so
//! names that nothing explains yet are kept until all files are read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::diagnostic::quoted;
use super::faults::{Faults, Span};
use super::suggest::{Suggester, nearest};

/// Names that are always there for steps.
const BUILT_IN: &[&str] = &[
    "revision.sha",
    "revision.short",
    "revision.branch",
    "cycle",
    "pipeline",
    "environment",
    "uuid",
    "now",
    "unix_time",
    "random",
    "index",
];

/// Built-in names that have a value outside a cycle.
const OUTSIDE_CYCLES: &[&str] = &["pipeline", "environment"];

/// Where a text stands, which decides the names it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scope {
    /// Watching, notifying: no cycle runs there.
    #[default]
    Settings,
    /// A variable: those before it, but no identities, for identities use variables.
    Vars,
    /// An identity.
    Identity,
    /// A step, a check, a control.
    Step,
    /// A suite file that is read on its own: nothing is known of the pipeline's names.
    LooseStep,
}

/// The most references of a pipeline: each takes memory.
const MAX_REFERENCES: usize = 200_000;
/// The most different names that wait for an explanation.
const MAX_UNEXPLAINED: usize = 5_000;
/// The uses of one such name that are kept; more would not be told anyway.
const MAX_USES: usize = 100;

/// The use of a name that nothing explained.
#[derive(Debug)]
struct Use {
    at: Span,
    scope: Scope,
    /// What an earlier step of the case captured that was probably meant.
    near: Option<String>,
}

/// There are more references than a pipeline may have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyReferences;

/// All names of a pipeline.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) vars: BTreeSet<String>,
    /// Variables whose value is known without running anything.
    pub(crate) plain_vars: BTreeMap<String, Value>,
    /// How long each variable can become, in bytes; what is only known when running counts as nothing.
    pub(crate) var_sizes: BTreeMap<String, usize>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) identities: BTreeSet<String>,
    setup: BTreeMap<String, Span>,
    /// What earlier steps of the case at hand captured.
    captured: BTreeMap<String, Span>,
    scope: Scope,
    /// Identities that the identity at hand uses.
    pub(crate) identity_uses: Vec<(String, Span)>,
    unexplained: BTreeMap<String, Vec<Use>>,
    references: usize,
    suggester: Suggester,
    /// Everything that any step captures.
    ever_captured: BTreeSet<String>,
}

impl Names {
    /// Sets where the texts to come stand, and gives back where they stood.
    pub(crate) fn enter(&mut self, scope: Scope) -> Scope {
        std::mem::replace(&mut self.scope, scope)
    }

    /// Forgets what the steps of the last case captured.
    pub(crate) fn start_case(&mut self) {
        self.captured.clear();
    }

    /// Makes a captured name known to the steps that follow.
    pub(crate) fn capture(&mut self, name: &str, at: Span) {
        self.captured.insert(name.to_owned(), at);
        self.ever_captured.insert(name.to_owned());
    }

    /// Makes the captures of a setup known to every case. Gives back those that were known already.
    pub(crate) fn finish_setup(&mut self) -> Vec<(String, Span, Span)> {
        let mut twice = Vec::new();
        for (name, at) in std::mem::take(&mut self.captured) {
            match self.setup.get(&name) {
                Some(first) => twice.push((name, at, *first)),
                None => {
                    self.setup.insert(name, at);
                }
            }
        }
        twice
    }

    /// Whether a name is taken by what is built in.
    pub(crate) fn is_built_in(name: &str) -> bool {
        BUILT_IN.contains(&name) || matches!(name, "revision" | "env" | "secret" | "identity")
    }

    /// Notes the use of a name.
    pub(crate) fn used(&mut self, name: &str, at: Span) -> Result<(), TooManyReferences> {
        self.references += 1;
        if self.references > MAX_REFERENCES {
            return Err(TooManyReferences);
        }
        if self.scope == Scope::Identity
            && let Some(identity) = identity_of(name)
        {
            self.identity_uses.push((identity.to_owned(), at));
        }
        if self.explains(name, self.scope) || self.captured.contains_key(name) {
            return Ok(());
        }
        if self.unexplained.len() >= MAX_UNEXPLAINED && !self.unexplained.contains_key(name) {
            return Err(TooManyReferences);
        }
        let captured = self.captured.keys().map(String::as_str);
        let near = self.suggester.nearest(name, captured).map(str::to_owned);
        let uses = self.unexplained.entry(name.to_owned()).or_default();
        if uses.len() < MAX_USES {
            uses.push(Use { at, scope: self.scope, near });
        }
        Ok(())
    }

    fn explains(&self, name: &str, scope: Scope) -> bool {
        if let Some(variable) = name.strip_prefix("env.") {
            return !variable.is_empty();
        }
        let in_cycle = match scope {
            Scope::Settings => false,
            Scope::Vars | Scope::Identity | Scope::Step | Scope::LooseStep => true,
        };
        let identities = match scope {
            Scope::Settings | Scope::Vars => false,
            Scope::Identity | Scope::Step | Scope::LooseStep => true,
        };
        if scope == Scope::LooseStep && !name.starts_with("revision.") {
            return identity_of(name).is_some() || !name.starts_with("identity.");
        }
        self.vars.contains(name)
            || name.strip_prefix("secret.").is_some_and(|secret| self.secrets.contains(secret))
            || OUTSIDE_CYCLES.contains(&name)
            || (in_cycle && BUILT_IN.contains(&name))
            || (identities && identity_of(name).is_some_and(|id| self.identities.contains(id)))
    }

    /// Tells every name that nothing explains, now that all files are read.
    pub(crate) fn tell_unexplained(&mut self, faults: &mut Faults) {
        for (name, uses) in std::mem::take(&mut self.unexplained) {
            for used in uses {
                let sees_setup = match used.scope {
                    Scope::Step | Scope::LooseStep => true,
                    Scope::Settings | Scope::Vars | Scope::Identity => false,
                };
                if sees_setup && self.setup.contains_key(&name) {
                    continue;
                }
                let fault = faults.error(used.at, format!("unknown name {}", quoted(&name)));
                for help in self.help_for(&name, &used) {
                    fault.help(help);
                }
            }
        }
    }

    fn help_for(&self, name: &str, used: &Use) -> Vec<String> {
        if let Some(reason) = self.out_of_place(name, used.scope) {
            return vec![reason.to_owned()];
        }
        if let Some(secret) = name.strip_prefix("secret.") {
            return described("secrets", secret, &self.secrets, "secret.", "");
        }
        if let Some(rest) = name.strip_prefix("identity.") {
            let wanted = rest.split('.').next().unwrap_or(rest);
            return described("identities", wanted, &self.identities, "identity.", ".token");
        }
        let mut words: Vec<&str> = self.vars.iter().map(String::as_str).collect();
        words.extend(used.near.as_deref());
        words.extend(match used.scope {
            Scope::Settings => OUTSIDE_CYCLES,
            Scope::Vars | Scope::Identity | Scope::Step | Scope::LooseStep => BUILT_IN,
        });
        let in_step = match used.scope {
            Scope::Step | Scope::LooseStep => true,
            Scope::Settings | Scope::Vars | Scope::Identity => false,
        };
        if in_step {
            words.extend(self.setup.keys().map(String::as_str));
        }
        let near = nearest(name, words.iter().copied());
        let mut help: Vec<String> =
            near.map(|near| format!("did you mean `${{{near}}}`?")).into_iter().collect();
        help.push(known_in(used.scope).to_owned());
        help
    }

    /// Why a name that exists has no value where it is used.
    fn out_of_place(&self, name: &str, scope: Scope) -> Option<&'static str> {
        let is_identity = identity_of(name).is_some_and(|id| self.identities.contains(id));
        match scope {
            Scope::Settings if self.explains(name, Scope::Step) => {
                Some("it has a value in a cycle only, and this is used outside of cycles")
            }
            Scope::Vars if is_identity => Some("identities may use vars, not the other way round"),
            Scope::Vars if self.vars.contains(name) => {
                Some("it is defined further down: a variable may use those before it")
            }
            Scope::Step | Scope::LooseStep if self.ever_captured.contains(name) => {
                Some("a step captures it, but only later steps of the same case know it")
            }
            Scope::Settings | Scope::Vars | Scope::Identity | Scope::Step | Scope::LooseStep => {
                None
            }
        }
    }
}

fn known_in(scope: Scope) -> &'static str {
    match scope {
        Scope::Settings => "known here: vars, `secret.NAME` and `env.NAME`",
        Scope::Vars => "known here: earlier vars, `secret.NAME`, `env.NAME` and what is built in",
        Scope::Identity => "known here: vars, `secret.NAME`, `env.NAME` and what is built in",
        Scope::Step | Scope::LooseStep => {
            "known here: vars, `secret.NAME`, `identity.NAME.token`, `env.NAME`, what is built in, \
             and what setup or an earlier step of the case captured; `$$` is a dollar sign"
        }
    }
}

fn described(
    what: &str,
    wanted: &str,
    known: &BTreeSet<String>,
    before: &str,
    after: &str,
) -> Vec<String> {
    let words = || known.iter().map(String::as_str);
    let mut help = Vec::new();
    if known.contains(wanted) {
        help.push(format!("write `${{{before}{wanted}{after}}}`"));
    } else if let Some(near) = nearest(wanted, words()) {
        help.push(format!("did you mean `${{{before}{near}{after}}}`?"));
    }
    help.push(if known.is_empty() {
        format!("the pipeline has no `{what}`")
    } else {
        let list: Vec<&str> = words().take(20).collect();
        format!("known {what}: {}", list.join(", "))
    });
    help
}

/// `alice` for `identity.alice.token`.
fn identity_of(name: &str) -> Option<&str> {
    name.strip_prefix("identity.")?.strip_suffix(".token").filter(|id| !id.is_empty())
}
