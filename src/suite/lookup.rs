//! The values of names, as one step sees them.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::env::RunEnv;
use crate::domain::template::{JsonTemplate, Lookup, Origin, Piece, Template, text_of};
use crate::probe::{address_variable, variable};

/// What earlier steps captured, by name.
pub(super) type Captures = HashMap<String, Captured>;

/// A value that a step captured.
#[derive(Debug, Clone)]
pub(super) struct Captured {
    pub(super) value: Value,
    /// The step, as it is shown.
    pub(super) step: String,
}

/// The values of names, as one step sees them: `${uuid}` and `${random}` are the same within a step,
/// so that it can expect what it sent, and new for the next one.
pub struct EnvLookup<'a> {
    env: &'a RunEnv,
    /// The innermost first.
    captures: [Option<&'a Captures>; 2],
    index: u32,
    uuid: OnceLock<String>,
    random: OnceLock<u64>,
}

impl<'a> EnvLookup<'a> {
    /// What is known outside any case.
    pub fn of(env: &'a RunEnv) -> Self {
        Self::within(env, [None, None], 0)
    }

    pub(super) fn within(env: &'a RunEnv, captures: [Option<&'a Captures>; 2], index: u32) -> Self {
        Self { env, captures, index, uuid: OnceLock::new(), random: OnceLock::new() }
    }

    /// The same, with shell variables in place of everything secret.
    pub(super) fn for_repro(&'a self) -> ReproLookup<'a> {
        ReproLookup(self)
    }

    /// Where a value comes from that is no variable's.
    fn origin(&self, name: &str) -> Origin {
        let captured = self.captured(name).is_some();
        if captured || name == "revision.branch" {
            Origin::Learnt(name.to_owned())
        } else if name.starts_with("secret.") || name.starts_with("identity.") {
            Origin::Secret(name.to_owned())
        } else {
            Origin::Written
        }
    }

    fn captured(&self, name: &str) -> Option<&'a Captured> {
        self.captures.iter().flatten().find_map(|captures| captures.get(name))
    }

    fn built_in(&self, name: &str) -> Option<Value> {
        let shared = &self.env.shared;
        let revision = shared.facts.revision.as_ref();
        Some(match name {
            "revision.sha" => Value::from(revision?.sha.as_str()),
            "revision.short" => Value::from(revision?.sha.short()),
            "revision.branch" => Value::from(revision?.branch.clone().unwrap_or_default()),
            "cycle" => Value::from(shared.facts.cycle),
            "pipeline" => Value::from(shared.facts.pipeline.as_str()),
            "environment" => Value::from(shared.facts.environment.as_str()),
            "index" => Value::from(self.index),
            "now" => Value::from(shared.clock.now().to_string()),
            "unix_time" => Value::from(shared.clock.now().as_second()),
            "uuid" => {
                let uuid = self.uuid.get_or_init(|| uuid::Uuid::new_v4().to_string());
                Value::from(uuid.as_str())
            }
            "random" => Value::from(*self.random.get_or_init(random)),
            _ => return self.dotted(name),
        })
    }

    fn dotted(&self, name: &str) -> Option<Value> {
        let shared = &self.env.shared;
        match name.split_once('.')? {
            ("env", name) => (shared.host_env)(name).map(Value::from),
            ("secret", name) => shared.secrets.get(name).map(|s| Value::from(s.expose())),
            ("identity", rest) => {
                let name = rest.strip_suffix(".token")?;
                shared.identities.token(name, self.env).map(Value::from)
            }
            _ => None,
        }
    }
}

/// A number of up to nine digits: every client can hold it.
fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0 % 1_000_000_000
}

impl Lookup for EnvLookup<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if let Some(captured) = self.captured(name) {
            return Some(captured.value.clone());
        }
        let position = self.env.shared.vars.iter().position(|var| var.name == name);
        match position {
            Some(position) => var(self.env, position, self),
            None => self.built_in(name),
        }
    }

    fn captured_by(&self, name: &str) -> Option<String> {
        Some(self.captured(name)?.step.clone())
    }

    fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
        if self.captured(name).is_none()
            && let Some(position) = self.env.shared.vars.iter().position(|var| var.name == name)
        {
            return match &self.env.shared.vars[position].pieces {
                Some(pieces) => Some(pieces.clone()),
                None => {
                    let earlier = Earlier { env: self.env, position, outer: self };
                    pieces_of(&self.env.shared.vars[position].template, &earlier)
                }
            };
        }
        let text = text_of(&self.get(name)?);
        Some(vec![Piece { text, origin: self.origin(name) }])
    }
}

/// What a variable is made of, as far as that has a value.
pub(super) fn pieces_of(template: &JsonTemplate, lookup: &dyn Lookup) -> Option<Vec<Piece>> {
    match template {
        JsonTemplate::Text(template) => template.pieces(lookup).ok(),
        JsonTemplate::Plain(_) | JsonTemplate::List(_) | JsonTemplate::Map(_) => {
            let text = text_of(&template.render(lookup).ok()?);
            Some(vec![Piece { text, origin: Origin::Written }])
        }
    }
}

/// The value of a variable; one that depends on the step sees the variables before it only, so that
/// no chain of them can be endless.
fn var(env: &RunEnv, position: usize, outer: &dyn Lookup) -> Option<Value> {
    let var = &env.shared.vars[position];
    if let Some(value) = &var.value {
        return Some(value.clone());
    }
    var.template.render(&Earlier { env, position, outer }).ok()
}

/// What a variable may refer to: all but itself and those after it.
struct Earlier<'a> {
    env: &'a RunEnv,
    position: usize,
    outer: &'a dyn Lookup,
}

impl Earlier<'_> {
    fn knows(&self, name: &str) -> bool {
        let found = self.env.shared.vars.iter().position(|var| var.name == name);
        found.is_none_or(|found| found < self.position)
    }
}

impl Lookup for Earlier<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if self.knows(name) { self.outer.get(name) } else { None }
    }

    fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
        if self.knows(name) { self.outer.pieces(name) } else { None }
    }
}

/// The values of names in a command that a person repeats by hand.
pub(super) struct ReproLookup<'a>(&'a EnvLookup<'a>);

impl ReproLookup<'_> {
    /// The shell variable that stands for a name whose value must not show.
    fn stand_in(&self, name: &str) -> Option<String> {
        if self.0.captured(name).is_some() {
            return is_sensitive(name).then(|| name.to_owned());
        }
        let token = || name.strip_prefix("identity.")?.strip_suffix(".token");
        match name.strip_prefix("secret.") {
            Some(secret) => Some(format!("SECRET_{secret}")),
            None => token().map(|name| format!("IDENTITY_{name}_TOKEN")),
        }
    }
}

impl Lookup for ReproLookup<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if let Some(stand_in) = self.stand_in(name) {
            return Some(Value::from(variable(&stand_in)));
        }
        let env = self.0.env;
        let secret_var = env.shared.vars.iter().find(|var| var.name == name && var.secret);
        match secret_var {
            Some(var) if self.0.captured(name).is_none() => var.template.render(self).ok(),
            _ => self.0.get(name),
        }
    }

    fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
        let shown = |piece: Piece| {
            let (Origin::Secret(name) | Origin::Learnt(name)) = &piece.origin else { return piece };
            let Some(stand_in) = self.stand_in(name) else { return piece };
            let text = address_variable(&stand_in, &piece.text);
            Piece { text, origin: Origin::Written }
        };
        Some(self.0.pieces(name)?.into_iter().map(shown).collect())
    }
}

/// The name of a step or a check as people read it. One that nobody wrote is made of the address,
/// with `${…}` in it: what that stands for is filled in, unless it is secret or changes with each use.
pub fn shown_name(env: &RunEnv, name: &str) -> String {
    if !name.contains("${") {
        return name.to_owned();
    }
    let lookup = EnvLookup::of(env);
    let filled = Template::parse(name).ok().and_then(|t| t.render(&ShownLookup(&lookup)).ok());
    env.evidencer().mask(&filled.unwrap_or_else(|| name.to_owned()))
}

/// The values of names for people; what is not told stays as it was written.
struct ShownLookup<'a>(&'a EnvLookup<'a>);

impl ShownLookup<'_> {
    fn told(&self, name: &str) -> Option<Value> {
        let changes = ["uuid", "random", "now", "unix_time"].contains(&name);
        let credential = name.starts_with("secret.") || name.starts_with("identity.");
        if changes || credential || is_sensitive(name) {
            return None;
        }
        match self.0.env.shared.vars.iter().find(|var| var.name == name) {
            Some(var) if var.secret => var.template.render(self).ok(),
            Some(var) => var.value.clone(),
            None => self.0.get(name),
        }
    }
}

impl Lookup for ShownLookup<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        Some(self.told(name).unwrap_or_else(|| Value::from(format!("${{{name}}}"))))
    }
}

/// Whether a captured value is probably a credential, by its name.
pub(super) fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "jwt", "api_key", "apikey", "cookie", "session_id"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::env::testing::env;
    use super::*;
    use serde_json::json;

    fn render(text: &str, lookup: &dyn Lookup) -> String {
        Template::parse(text).unwrap().render(lookup).unwrap_or_else(|e| e.to_string())
    }

    fn captures<const N: usize>(values: [(&str, Value); N]) -> Captures {
        let captured = |value| Captured { value, step: "Log in".to_owned() };
        values.map(|(name, value)| (name.to_owned(), captured(value))).into()
    }

    #[test]
    fn inner_names_hide_outer_ones() {
        let env = env(&[("a", json!("var")), ("b", json!("var"))], &[]);
        let setup = captures([("b", json!("setup")), ("c", json!(1))]);
        let local = captures([("c", json!(2))]);
        let lookup = EnvLookup::within(&env, [Some(&local), Some(&setup)], 4);
        let text = "${a} ${b} ${c} ${index} ${cycle} ${pipeline} ${secret.key} ${env.HOME}";
        assert_eq!(render(text, &lookup), "var setup 2 4 7 chat the-secret-key /home/x");
        assert_eq!(render("${revision.sha}", &lookup), "nothing gave `${revision.sha}` a value");
        assert_eq!(render("${unix_time} ${now}", &lookup), "1700000000 2023-11-14T22:13:20Z");
    }

    #[test]
    fn a_uuid_is_one_within_a_step() {
        let env = env(&[], &[]);
        let (first, second) = (EnvLookup::of(&env), EnvLookup::of(&env));
        assert_eq!(first.get("uuid"), first.get("uuid"));
        assert_ne!(first.get("uuid"), second.get("uuid"));
        assert_eq!(first.get("random"), first.get("random"));
    }

    #[test]
    fn a_variable_that_depends_on_the_step_is_filled_in_by_it() {
        let env = env(&[("who", json!("user-${index}")), ("deep", json!("<${who}>"))], &[]);
        assert_eq!(render("${deep}", &EnvLookup::within(&env, [None, None], 3)), "<user-3>");
    }

    #[test]
    fn names_show_what_is_known_and_not_secret() {
        let vars = [
            ("base_url", json!("https://staging.example.com")),
            ("keyed", json!("${base_url}/${secret.key}")),
            ("each", json!("${index}")),
            ("api_key", json!("abc")),
        ];
        let env = env(&vars, &[]);
        let shown = |text: &str| shown_name(&env, text);
        assert_eq!(shown("GET ${base_url}/health"), "GET https://staging.example.com/health");
        assert_eq!(shown("GET ${keyed}"), "GET https://staging.example.com/${secret.key}");
        for kept in
            ["${each} ${uuid} ${nobody}", "${identity.bob.token}", "${api_key}", "costs $$5", "${"]
        {
            assert_eq!(shown(kept), kept);
        }
    }

    #[test]
    fn repros_hold_no_secret() {
        let env = env(&[("auth", json!("Bearer ${secret.key}")), ("n", json!("${uuid}"))], &[]);
        let captures = captures([("access_token", json!("abc"))]);
        let lookup = EnvLookup::within(&env, [Some(&captures), None], 0);
        let repro = lookup.for_repro();
        for text in ["${auth}", "${secret.key}", "${access_token}", "${identity.x.token}"] {
            let shown = render(text, &repro);
            assert!(!shown.contains("the-secret-key") && !shown.contains("abc"), "{shown}");
            assert!(shown.contains('\u{e000}'), "{shown}");
        }
        assert_eq!(render("${n}", &repro), render("${n}", &lookup));
    }
}
