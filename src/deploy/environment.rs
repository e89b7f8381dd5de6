//! The environment of a command: what SPEC section 3 lists, and nothing else.
//!
//! Values reach a command by its environment only. No branch name or commit message is ever read by
//! a shell.

use serde_json::Value;

use crate::domain::redact::Secret;
use crate::domain::revision::Revision;
use crate::domain::template::text_of;
use crate::suite::HostEnv;

/// Variables of ours that every command gets.
const PASSED_ON: &[&str] = &["PATH", "HOME", "LANG", "TZ"];

/// What a command is told about its cycle.
pub struct StepFacts<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The cycle's number.
    pub cycle: u32,
    /// The revision.
    pub revision: &'a Revision,
    /// Why the cycle runs: the kind of its trigger.
    pub trigger: &'a str,
    /// The environment's name.
    pub environment: &'a str,
    /// The checkout.
    pub checkout: &'a str,
    /// The pipeline's variables, resolved.
    pub vars: &'a [(String, Value)],
    /// The pipeline's secrets.
    pub secrets: &'a [(String, Secret)],
}

/// The whole environment of a command; later entries win over earlier ones of the same name.
pub fn variables(
    facts: &StepFacts<'_>,
    own: &[(String, String)],
    pass: &[String],
    host: &HostEnv,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for name in PASSED_ON.iter().copied().chain(pass.iter().map(String::as_str)) {
        all.extend(host(name).map(|value| (name.to_owned(), value)));
    }
    let mut set = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
    set("ANDON_PIPELINE", facts.pipeline);
    set("ANDON_CYCLE", &facts.cycle.to_string());
    set("ANDON_REVISION", facts.revision.sha.as_str());
    set("ANDON_SHORT_REVISION", facts.revision.sha.short());
    set("ANDON_BRANCH", facts.revision.branch.as_deref().unwrap_or_default());
    set("ANDON_TRIGGER", facts.trigger);
    set("ANDON_ENVIRONMENT", facts.environment);
    set("ANDON_CHECKOUT", facts.checkout);
    for (name, value) in facts.vars {
        set(&format!("ANDON_VAR_{}", variable_name(name)), &text_of(value));
    }
    for (name, secret) in facts.secrets {
        set(&format!("ANDON_SECRET_{}", variable_name(name)), secret.expose());
    }
    all.extend(own.iter().cloned());
    // A NUL cannot stand in an environment; a value with one would only fail at the start.
    all.retain(|(name, value)| !name.is_empty() && !value.contains('\0'));
    all
}

/// A name as the names of variables are written: upper case, `_` for all else.
fn variable_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::revision::Sha;
    use jiff::Timestamp;
    use std::sync::Arc;

    #[test]
    fn a_command_gets_what_the_contract_lists_and_nothing_else() {
        let revision = Revision {
            sha: Sha::parse("4f1c2aa000000000000000000000000000000001").unwrap(),
            subject: "$(touch pwned)".to_owned(),
            author: "x".to_owned(),
            branch: Some("a;b".to_owned()),
            time: Timestamp::UNIX_EPOCH,
        };
        let facts = StepFacts {
            pipeline: "chat",
            cycle: 7,
            revision: &revision,
            trigger: "manual",
            environment: "staging",
            checkout: "/checkout",
            vars: &[
                ("base_url".to_owned(), Value::from("http://x")),
                ("n".to_owned(), Value::from(3)),
            ],
            secrets: &[("jwt-key".to_owned(), Secret::new("hunter2"))],
        };
        let host: HostEnv = Arc::new(|name| match name {
            "PATH" => Some("/bin".to_owned()),
            "HOME" | "MINE" => Some("/home".to_owned()),
            "AWS_SECRET" => Some("leak".to_owned()),
            _ => None,
        });
        let own = [("REGION".to_owned(), "eu".to_owned()), ("HOME".to_owned(), "/own".to_owned())];
        let mut got = variables(&facts, &own, &["MINE".to_owned()], &host);
        got.sort();
        let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "ANDON_BRANCH",
                "ANDON_CHECKOUT",
                "ANDON_CYCLE",
                "ANDON_ENVIRONMENT",
                "ANDON_PIPELINE",
                "ANDON_REVISION",
                "ANDON_SECRET_JWT_KEY",
                "ANDON_SHORT_REVISION",
                "ANDON_TRIGGER",
                "ANDON_VAR_BASE_URL",
                "ANDON_VAR_N",
                "HOME",
                "HOME",
                "MINE",
                "PATH",
                "REGION",
            ]
        );
        assert!(got.contains(&("ANDON_BRANCH".to_owned(), "a;b".to_owned())));
        assert!(got.contains(&("ANDON_VAR_N".to_owned(), "3".to_owned())));
    }
}
