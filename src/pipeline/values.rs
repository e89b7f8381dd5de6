//! Texts with a grammar of their own: durations, bounds, names, paths, addresses.

mod bytes;
mod duration;

use std::path::PathBuf;

use super::diagnostic::quoted;
use super::names::Names;
use super::reader::{Cx, Placeholder};
use super::yaml::{Entry, Node, Value};
use crate::domain::glob::{Glob, InvalidGlob};
use crate::domain::names::CaseId;
use crate::domain::spec::{Command, Percentile};

pub(crate) use duration::{LONGEST, SHORTEST, duration_text};

impl Placeholder for String {
    fn placeholder() -> Self {
        Self::new()
    }
}

impl Placeholder for i64 {
    fn placeholder() -> Self {
        0
    }
}

impl Placeholder for u32 {
    fn placeholder() -> Self {
        1
    }
}

impl<T> Placeholder for Vec<T> {
    fn placeholder() -> Self {
        Self::new()
    }
}

impl Placeholder for PathBuf {
    fn placeholder() -> Self {
        Self::new()
    }
}

impl Placeholder for Command {
    fn placeholder() -> Self {
        Self::Argv(Vec::new())
    }
}

impl Placeholder for CaseId {
    fn placeholder() -> Self {
        // A character that stands for unreadable text, so that it is no id of a real case.
        Self::parse("\u{fffd}").expect("the character is a case id")
    }
}

impl Placeholder for jiff::civil::Date {
    fn placeholder() -> Self {
        Self::ZERO
    }
}

impl Cx<'_> {
    /// Reads the name of a percentile.
    pub(crate) fn percentile(&mut self, entry: &Entry) -> Option<Percentile> {
        let known = [
            ("min", Percentile::Min),
            ("p50", Percentile::P50),
            ("p90", Percentile::P90),
            ("p95", Percentile::P95),
            ("p99", Percentile::P99),
            ("max", Percentile::Max),
        ];
        let found = known.iter().find(|(name, _)| *name == entry.key);
        if found.is_none() {
            let words = known.map(|(name, _)| name);
            self.error(entry.key_span, format!("unknown percentile {}", quoted(&entry.key)))
                .help(format!("known: {}", words.join(", ")));
        }
        found.map(|(_, percentile)| *percentile)
    }

    /// Reads the id of a case.
    pub(crate) fn case_id(&mut self, node: &Node) -> CaseId {
        let text = self.text(node);
        if text.trim().is_empty() {
            return CaseId::placeholder();
        }
        CaseId::parse(&text).unwrap_or_else(|fault| {
            self.error(node.span, fault.to_string());
            CaseId::placeholder()
        })
    }

    /// Reads a path; what comes back starts from where the program stands.
    pub(crate) fn path(&mut self, node: &Node) -> PathBuf {
        let text = self.text(node);
        if text.contains("${") {
            self.error(node.span, "a path cannot hold `${…}`: it is read before anything runs");
        }
        self.resolve(node.span, &text)
    }

    /// Reads a command: a text for `sh -c`, or a list of arguments.
    pub(crate) fn command(&mut self, node: &Node) -> Command {
        if matches!(node.value, Value::List(_)) {
            return Command::Argv(self.argv(node));
        }
        let text = self.text(node);
        self.warn_of_references(node, &text);
        Command::Shell(text)
    }

    /// Reads a program and its arguments.
    pub(crate) fn argv(&mut self, node: &Node) -> Vec<String> {
        let argv = self.strict_list(node, |cx, item| {
            let text = cx.scalar_text(item);
            cx.warn_of_references(item, &text);
            text
        });
        if matches!(&node.value, Value::List(items) if items.is_empty() || argv[0].trim().is_empty())
        {
            self.error(node.span, "the command has no program");
        }
        argv
    }

    /// `${revision.sha}` in a command would reach the shell as it stands.
    pub(crate) fn warn_of_references(&mut self, node: &Node, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            rest = &rest[at + 2..];
            let name = &rest[..rest.find('}').unwrap_or(0)];
            let Some(variable) = variable_for(name, &self.names) else { continue };
            let message = format!("{} is not filled in here", quoted(&format!("${{{name}}}")));
            let at = self.find_in(node, &format!("${{{name}}}"));
            self.warning(at, message).help(variable);
        }
    }

    /// Reads variables of a command's environment.
    pub(crate) fn env_map(&mut self, node: &Node) -> Vec<(String, String)> {
        self.free_map(node, |cx, entry| {
            check_variable_name(cx, &entry.key, entry.key_span);
            let text = cx.scalar_text(&entry.value);
            cx.warn_of_references(&entry.value, &text);
            (entry.key.clone(), text)
        })
    }

    /// Reads the name of a variable of our own environment.
    pub(crate) fn variable_name(&mut self, node: &Node) -> String {
        let text = self.text(node);
        if !text.is_empty() {
            check_variable_name(self, &text, node.span);
        }
        text
    }

    /// Checks a name that texts refer to as `${name}`.
    pub(crate) fn check_name(&mut self, entry: &Entry, what: &str) {
        let name = entry.key.as_str();
        let fits = name.len() <= 100
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !fits {
            self.error(entry.key_span, format!("{} cannot be {what}", quoted(name)))
                .help("use letters, digits, `_` and `-`, starting with a letter");
        } else if Names::is_built_in(name) {
            self.error(entry.key_span, format!("`{name}` is built in and cannot be {what}"));
        }
    }

    /// Reads a glob over branches or paths.
    pub(crate) fn glob(&mut self, node: &Node) -> String {
        let help = "`*` stands for any characters but `/`, `**` for any, `?` for one";
        self.checked_glob(node, help, Glob::parse)
    }

    /// Reads a glob over case ids.
    pub(crate) fn id_glob(&mut self, node: &Node) -> String {
        let help = "`*` stands for any characters, `?` for one";
        self.checked_glob(node, help, Glob::over_ids)
    }

    fn checked_glob(
        &mut self,
        node: &Node,
        help: &'static str,
        parse: fn(&str) -> Result<Glob, InvalidGlob>,
    ) -> String {
        let text = self.text(node);
        if text.is_empty() {
            return text;
        }
        if let Err(fault) = parse(&text) {
            self.error(node.span, format!("{} is not a pattern: {fault}", quoted(&text)))
                .help(help);
        }
        text
    }

    /// Reads a day.
    pub(crate) fn date(&mut self, node: &Node) -> jiff::civil::Date {
        let text = node.as_text().unwrap_or_default();
        text.parse().unwrap_or_else(|_| {
            self.wrong_type(node, "a day such as `2026-12-31`");
            jiff::civil::Date::ZERO
        })
    }
}

/// Where a command finds what a text would get by `${name}`.
fn variable_for(name: &str, names: &Names) -> Option<String> {
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    let fixed = match name {
        "revision.sha" => Some("ANDON_REVISION".to_owned()),
        "revision.short" => Some("ANDON_SHORT_REVISION".to_owned()),
        "revision.branch" => Some("ANDON_BRANCH".to_owned()),
        "cycle" | "pipeline" | "environment" => Some(format!("ANDON_{}", upper(name))),
        _ => name.strip_prefix("secret.").map(|secret| format!("ANDON_SECRET_{}", upper(secret))),
    };
    let fixed = fixed
        .or_else(|| names.vars.contains(name).then(|| format!("ANDON_VAR_{}", upper(name))))
        .or_else(|| name.strip_prefix("env.").map(str::to_owned));
    match fixed {
        Some(variable) => {
            Some(format!("commands get it as a variable of their environment: ${variable}"))
        }
        None if name.starts_with("identity.") => {
            Some("commands do not get identities; only native steps do".to_owned())
        }
        None => None,
    }
}

fn check_variable_name(cx: &mut Cx<'_>, name: &str, at: super::faults::Span) {
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !fits {
        cx.error(at, format!("{} is not the name of a variable", quoted(name)))
            .help("use letters, digits and `_`, starting with a letter");
    } else if name.starts_with("ANDON_") {
        cx.error(at, format!("`{name}` is set by Andon itself"))
            .help("choose a name that does not begin with `ANDON_`");
    }
}
