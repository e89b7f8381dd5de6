//! The tools with which the sections of a file are read: maps with known keys, and what collects faults.
//!
//! A reader notes a fault and goes on with a placeholder, so that one pass finds every fault. A value made
//! of placeholders never leaves this module's users: with an error noted, nothing is handed out.

mod fields;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::quoted;
use super::faults::{Fault, Faults, Span};
use super::names::Names;
use super::source::{SourceFiles, decode};
use super::suggest::Suggester;
use super::yaml::{self, Entry, Node, Value};
use crate::domain::paths::normal;

pub(crate) use fields::{Fields, Placeholder, Shape, word_list};

/// What all readers share.
pub(crate) struct Cx<'a> {
    files: &'a dyn SourceFiles,
    pub(crate) faults: Faults,
    pub(crate) names: Names,
    pub(crate) suggester: Suggester,
    /// Values that the files to come may still have.
    nodes_left: usize,
    /// Regular expressions that were compiled, and whether they are ones.
    pub(crate) patterns: HashMap<String, Result<(), String>>,
    /// How many of them are not small.
    pub(crate) large_patterns: usize,
    /// JSON Schemas that were read.
    pub(crate) schemas: HashMap<PathBuf, Arc<serde_json::Value>>,
    pub(crate) schemas_checked: u32,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(files: &'a dyn SourceFiles) -> Self {
        Self {
            files,
            faults: Faults::default(),
            names: Names::default(),
            suggester: Suggester::default(),
            nodes_left: yaml::MAX_NODES,
            patterns: HashMap::new(),
            large_patterns: 0,
            schemas: HashMap::new(),
            schemas_checked: 0,
        }
    }

    /// Notes an error.
    pub(crate) fn error(&mut self, at: Span, message: impl Into<String>) -> &mut Fault {
        self.faults.error(at, message)
    }

    /// Notes a warning.
    pub(crate) fn warning(&mut self, at: Span, message: impl Into<String>) -> &mut Fault {
        self.faults.warning(at, message)
    }

    /// A path as written in a file → the path from where the program stands.
    pub(crate) fn resolve(&self, at: Span, written: &str) -> PathBuf {
        if written.is_empty() {
            return PathBuf::new();
        }
        let dir = self.faults.path(at.file).parent().unwrap_or(Path::new(""));
        normal(&dir.join(written))
    }

    /// Reads a file as text. The fault is noted at `named_at`, or at the file itself.
    pub(crate) fn load_text(
        &mut self,
        path: &Path,
        limit: u64,
        named_at: Option<Span>,
    ) -> Option<(u16, Arc<str>)> {
        let decoded = match self.files.read(path, limit) {
            Ok(bytes) => decode(bytes, limit),
            Err(fault) => {
                let message = format!("cannot read {}: {fault}", path.display());
                let Some(at) = named_at else {
                    let file = self.faults.add_file(path, "".into())?;
                    self.faults.file_error(file, message);
                    return None;
                };
                let dir = self.faults.path(at.file).parent().unwrap_or(Path::new(""));
                let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
                let help =
                    format!("paths are relative to the file they stand in: {}", dir.display());
                self.error(at, message).help(help);
                return None;
            }
        };
        match decoded {
            Ok(text) => {
                let text: Arc<str> = text.into();
                Some((self.faults.add_file(path, Arc::clone(&text))?, text))
            }
            Err(fault) => {
                let (text, at) = fault.shown.map_or((String::new(), None), |(t, at)| (t, Some(at)));
                let file = self.faults.add_file(path, text.into())?;
                let noted = match at {
                    Some(at) => self.faults.error(Span::new(file, at, at + 1), fault.message),
                    None => self.faults.file_error(file, fault.message),
                };
                noted.help(fault.help);
                None
            }
        }
    }

    /// Reads a YAML file.
    pub(crate) fn load_yaml(
        &mut self,
        path: &Path,
        limit: u64,
        named_at: Option<Span>,
    ) -> Option<Node> {
        let (file, text) = self.load_text(path, limit, named_at)?;
        yaml::parse(file, &text, &mut self.faults, &mut self.nodes_left)
    }

    /// Notes that a value has the wrong type.
    pub(crate) fn wrong_type(&mut self, node: &Node, expected: &str) -> &mut Fault {
        let found = match &node.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(flag) => format!("`{flag}`"),
            Value::Number(number) => format!("the number `{number}`"),
            Value::Text(text) => format!("the text {}", quoted(text)),
            Value::List(_) | Value::Map(_) => node.kind().to_owned(),
        };
        let at = node.span;
        self.error(at, format!("expected {expected}, found {found}"))
    }

    /// Reads a list, or one item that stands for a list of one.
    pub(crate) fn list<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> T,
    ) -> Vec<T> {
        match &node.value {
            Value::List(items) => items.iter().map(|item| read(self, item)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                vec![read(self, node)]
            }
        }
    }

    /// Reads a list and nothing else.
    pub(crate) fn strict_list<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> T,
    ) -> Vec<T> {
        let Value::List(items) = &node.value else {
            self.wrong_type(node, "a list").help("begin each item with `- `");
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in items {
            if self.faults.is_hopeless(item.span.file) {
                break;
            }
            list.push(read(self, item));
        }
        list
    }

    /// Reads a map whose keys are the user's own.
    pub(crate) fn free_map<T>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Entry) -> T,
    ) -> Vec<T> {
        let Value::Map(entries) = &node.value else {
            self.wrong_type(node, "a map");
            return Vec::new();
        };
        let mut list = Vec::new();
        for entry in entries {
            if self.faults.is_hopeless(entry.key_span.file) {
                break;
            }
            list.push(read(self, entry));
        }
        list
    }

    /// Reads a word out of a closed set.
    pub(crate) fn word<T: Copy>(&mut self, node: &Node, words: &[(&'static str, T)]) -> T {
        let (_, fallback) = words[0];
        let allowed = words.iter().map(|(word, _)| *word);
        let Some(text) = node.as_text() else {
            let list = word_list(allowed);
            self.wrong_type(node, &list);
            return fallback;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let near = self.suggester.nearest(text, allowed.clone());
        let one_of = if words.len() > 1 { "one of " } else { "" };
        let message = format!("{} is not {one_of}{}", quoted(text), word_list(allowed));
        let fault = self.error(node.span, message);
        if let Some(near) = near {
            fault.help(format!("did you mean `{near}`?"));
        }
        fallback
    }

    /// Reads a whole number within bounds.
    pub(crate) fn count(&mut self, node: &Node, range: RangeInclusive<u32>) -> u32 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Value::Number(number) = &node.value else {
            self.wrong_type(node, &expected);
            return *range.start();
        };
        let whole = number.as_u64().and_then(|n| u32::try_from(n).ok());
        match whole.filter(|n| range.contains(n)) {
            Some(n) => n,
            None => {
                self.wrong_type(node, &expected);
                *range.start()
            }
        }
    }

    /// Reads true or false.
    pub(crate) fn flag(&mut self, node: &Node) -> bool {
        if let Value::Bool(flag) = node.value {
            return flag;
        }
        let meant = match node.as_text().map(str::to_ascii_lowercase).as_deref() {
            Some("yes" | "y" | "on") => Some("true"),
            Some("no" | "n" | "off") => Some("false"),
            _ => None,
        };
        let fault = self.wrong_type(node, "true or false");
        if let Some(meant) = meant {
            fault.help(format!("write `{meant}`"));
        }
        false
    }

    /// Reads a text that is not empty.
    pub(crate) fn text(&mut self, node: &Node) -> String {
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => {
                self.error(node.span, "the text is empty");
                text.clone()
            }
            Value::Text(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => {
                self.wrong_type(node, "a text").help("put it in quotes");
                String::new()
            }
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.wrong_type(node, "a text");
                String::new()
            }
        }
    }

    /// Reads a text; a number or a truth value is taken as it is written.
    pub(crate) fn scalar_text(&mut self, node: &Node) -> String {
        match &node.value {
            Value::Text(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.wrong_type(node, "a text or a number");
                String::new()
            }
        }
    }
}
