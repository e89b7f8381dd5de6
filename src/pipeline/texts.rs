//! Texts that native steps fill in or evaluate: templates, JSON, addresses, headers, JSONPaths, patterns.

mod address;
mod pattern;
mod schema;

pub(crate) use pattern::MAX_COMPILED_BYTES;

use super::diagnostic::quoted;
use super::faults::Span;
use super::names::{Scope, TooManyReferences};
use super::reader::{Cx, Placeholder};
use super::yaml::{Entry, Node, Value};
use crate::domain::spec::{Extract, JsonPath};
use crate::domain::template::{JsonTemplate, Template, TemplateError};

/// The longest text of a native step, in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;

impl Placeholder for Template {
    fn placeholder() -> Self {
        Self::literal("")
    }
}

impl Placeholder for JsonTemplate {
    fn placeholder() -> Self {
        Self::Plain(serde_json::Value::Null)
    }
}

impl Placeholder for JsonPath {
    fn placeholder() -> Self {
        Self::parse("$").expect("the root is a JSONPath")
    }
}

impl Placeholder for Extract {
    fn placeholder() -> Self {
        Self::Body
    }
}

impl Cx<'_> {
    /// Where a part of a value stands in the file; the whole value when that cannot be told.
    pub(crate) fn find_in(&self, node: &Node, part: &str) -> Span {
        match self.faults.text(node.span).find(part) {
            Some(at) => {
                let start = node.span.start as usize + at;
                Span::new(node.span.file, start, start + part.len())
            }
            None => node.span,
        }
    }

    /// Where some bytes of a text stand in the file; the whole value when that cannot be told.
    fn part_of(&self, node: &Node, text: &str, from: usize, length: usize) -> Span {
        match self.faults.text(node.span).find(text) {
            Some(at) => {
                let start = node.span.start as usize + at + from;
                Span::new(node.span.file, start, start + length)
            }
            None => node.span,
        }
    }

    /// Does something with texts standing elsewhere.
    pub(crate) fn in_scope<T>(&mut self, scope: Scope, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.names.enter(scope);
        let value = read(self);
        self.names.enter(before);
        value
    }

    /// Reads a text with references; a number or truth value is taken as it is written.
    pub(crate) fn template(&mut self, node: &Node) -> Template {
        let text = self.scalar_text(node);
        self.parse_template(node, &text)
    }

    /// Reads a template that must not be empty.
    pub(crate) fn filled_template(&mut self, node: &Node) -> Template {
        if node.as_text().is_some_and(|text| text.trim().is_empty()) {
            self.error(node.span, "the text is empty");
        }
        self.template(node)
    }

    fn parse_template(&mut self, node: &Node, text: &str) -> Template {
        if text.len() > MAX_TEXT_BYTES {
            let message = format!("a text of more than {} KiB", MAX_TEXT_BYTES / 1024);
            self.error(node.span, message).help("put a large body into a file and write `file: …`");
            return Template::literal("");
        }
        match Template::parse(text) {
            Ok(template) if self.note_references(node, &template).is_ok() => template,
            Ok(_) => {
                self.error(node.span, "the pipeline refers to more names than it may");
                Template::literal("")
            }
            Err(fault) => {
                let (message, from, length) = match &fault {
                    TemplateError::Unclosed { at } => {
                        ("`${` has no closing `}`".to_owned(), *at, 2)
                    }
                    TemplateError::BadName { name, at } => {
                        (format!("{} is not a name", quoted(name)), *at, name.len() + 3)
                    }
                };
                let at = self.part_of(node, text, from, length);
                self.error(at, message).help("`$$` is a dollar sign");
                Template::literal("")
            }
        }
    }

    fn note_references(
        &mut self,
        node: &Node,
        template: &Template,
    ) -> Result<(), TooManyReferences> {
        for name in template.references() {
            let at = self.find_in(node, &format!("${{{name}}}"));
            self.names.used(name, at)?;
        }
        Ok(())
    }

    /// Reads any value as JSON with references.
    pub(crate) fn json(&mut self, node: &Node) -> JsonTemplate {
        match &node.value {
            Value::Null | Value::Bool(_) | Value::Number(_) => JsonTemplate::Plain(node.to_json()),
            Value::Text(text) => JsonTemplate::Text(self.parse_template(node, text)),
            Value::List(items) => JsonTemplate::List(items.iter().map(|i| self.json(i)).collect()),
            Value::Map(entries) => JsonTemplate::Map(
                entries.iter().map(|e| (e.key.clone(), self.json(&e.value))).collect(),
            ),
        }
    }

    /// Reads names and templates; a list gives a name several values.
    pub(crate) fn template_map(&mut self, node: &Node) -> Vec<(String, Template)> {
        let lists = self.free_map(node, |cx, entry| {
            let values = cx.list(&entry.value, Self::template);
            values.into_iter().map(|value| (entry.key.clone(), value)).collect::<Vec<_>>()
        });
        lists.into_iter().flatten().collect()
    }

    /// Reads headers to send.
    pub(crate) fn headers(&mut self, node: &Node) -> Vec<(String, Template)> {
        let lists = self.free_map(node, |cx, entry| {
            let name = cx.header_name(&entry.key, entry.key_span);
            let values = cx.list(&entry.value, |cx, value| {
                if value.as_text().is_some_and(|text| text.contains(['\r', '\n'])) {
                    cx.error(value.span, "a header's value cannot hold a line break");
                }
                cx.template(value)
            });
            values.into_iter().map(|value| (name.clone(), value)).collect::<Vec<_>>()
        });
        lists.into_iter().flatten().collect()
    }

    /// Checks the name of a header; it comes back in lower case.
    pub(crate) fn header_name(&mut self, name: &str, at: Span) -> String {
        match http::HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => name.as_str().to_owned(),
            Err(_) => {
                self.error(at, format!("{} is not the name of a header", quoted(name)))
                    .help("use letters, digits and `-`");
                String::new()
            }
        }
    }

    /// Reads a JSONPath.
    pub(crate) fn json_path(&mut self, text: &str, at: Span) -> JsonPath {
        JsonPath::parse(text).unwrap_or_else(|fault| {
            let fault = fault.to_string();
            let message = format!("{} is not a JSONPath", quoted(text));
            let reason = fault.strip_prefix("not a JSONPath: ").unwrap_or(&fault).to_owned();
            let noted = self.error(at, message);
            if !reason.ends_with("parser error") {
                noted.label(first_line(&reason));
            }
            if !text.starts_with('$') && JsonPath::parse(&format!("$.{text}")).is_ok() {
                noted.help(format!("did you mean `$.{text}`?"));
            } else {
                noted.help("a JSONPath (RFC 9535) begins with `$`, as in `$.items[0].id`");
            }
            JsonPath::placeholder()
        })
    }

    /// Reads where a value stands: `json $.x`, `header NAME`, `body`, `regex '…'`, `status`.
    pub(crate) fn extract(&mut self, node: &Node) -> Extract {
        let Some(text) = node.as_text() else {
            self.wrong_type(node, "a text that says where the value stands").help(EXTRACT_FORMS);
            return Extract::Body;
        };
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match (word, rest) {
            ("body", "") => Extract::Body,
            ("status", "") => Extract::Status,
            ("json", path) if !path.is_empty() => {
                let at = self.find_in(node, path);
                Extract::Json(self.json_path(path, at))
            }
            ("header", name) if !name.is_empty() => {
                let at = self.find_in(node, name);
                Extract::Header(self.header_name(name, at))
            }
            ("regex", pattern) if !pattern.is_empty() => {
                let pattern = unquote(pattern);
                let at = self.find_in(node, pattern);
                self.check_pattern(pattern, at);
                Extract::Regex(pattern.to_owned())
            }
            _ => {
                let near =
                    self.suggester.nearest(word, ["json", "header", "body", "regex", "status"]);
                let message = format!("{} does not say where the value stands", quoted(text));
                let fault = self.error(node.span, message);
                if text.starts_with('$') {
                    fault.help(format!("write `json {text}`"));
                } else if let Some(near) = near.filter(|near| *near != word) {
                    fault.help(format!("did you mean `{near}`?"));
                }
                fault.help(EXTRACT_FORMS);
                Extract::Body
            }
        }
    }

    /// Reads the key of an entry as a JSONPath.
    pub(crate) fn json_path_key(&mut self, entry: &Entry) -> JsonPath {
        self.json_path(&entry.key, entry.key_span)
    }
}

const EXTRACT_FORMS: &str =
    "a value stands at `json $.x`, `header NAME`, `body`, `regex '…'` or `status`";

fn unquote(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"')).filter(|inner| !inner.is_empty()).unwrap_or(text)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_a_pattern_are_taken_off() {
        assert_eq!(unquote("'a b'"), "a b");
        assert_eq!(unquote("\"a\""), "a");
        assert_eq!(unquote("data-build=\"x\""), "data-build=\"x\"");
        assert_eq!(unquote("'"), "'");
    }
}
