//! Maps with known keys: what they may have, what they must have, and what is unknown in them.

use super::Cx;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::faults::Span;
use crate::pipeline::yaml::{Entry, Node, Value};

/// The keys that a map may have.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its name in the JSON Schema.
    pub(crate) name: &'static str,
    /// What it is for a reader, with its article: "a step".
    pub(crate) what: &'static str,
    pub(crate) keys: &'static [&'static str],
    /// Keys that people write here although they belong elsewhere, and where they belong.
    pub(crate) elsewhere: &'static [(&'static str, &'static str)],
}

/// A map that is being read.
pub(crate) struct Fields<'n> {
    shape: &'static Shape,
    /// Where a missing key is told.
    pub(crate) at: Span,
    entries: &'n [Entry],
    is_map: bool,
    /// Keys that were probably meant by unknown ones: they are not missing as well.
    meant: Vec<&'static str>,
    has_unknown: bool,
}

/// A value that stands in for one that could not be read.
pub(crate) trait Placeholder {
    /// The value. Its content means nothing.
    fn placeholder() -> Self;
}

impl<'n> Fields<'n> {
    /// Begins to read a map; keys that it may not have are noted.
    pub(crate) fn open(cx: &mut Cx<'_>, node: &'n Node, shape: &'static Shape) -> Self {
        let Value::Map(entries) = &node.value else {
            let fault = cx.wrong_type(node, &format!("{}, which is a map", shape.what));
            fault.help(allowed_keys(shape));
            let meant = Vec::new();
            return Self {
                shape,
                at: node.span,
                entries: &[],
                is_map: false,
                meant,
                has_unknown: true,
            };
        };
        let at = entries.first().map_or(node.span, |first| first.key_span);
        let unknown = entries.iter().filter(|entry| !shape.keys.contains(&entry.key.as_str()));
        let mut has_unknown = false;
        let mut meant = Vec::new();
        for entry in unknown {
            has_unknown = true;
            if cx.faults.is_hopeless(entry.key_span.file) {
                break;
            }
            meant.extend(unknown_key(cx, entry, shape));
        }
        Self { shape, at, entries, is_map: true, meant, has_unknown }
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        debug_assert!(self.shape.keys.contains(&key), "{key} is not a key of {}", self.shape.name);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Whether a key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Where a key stands, or where the map begins.
    pub(crate) fn key_span(&self, key: &str) -> Span {
        self.entry(key).map_or(self.at, |entry| entry.key_span)
    }

    /// Where the value of a key stands, or where the map begins.
    pub(crate) fn value_span(&self, key: &str) -> Span {
        self.entry(key).map_or(self.at, |entry| entry.value.span)
    }

    /// The value of a key, where the key is there and has one.
    pub(crate) fn node(&self, cx: &mut Cx<'_>, key: &str) -> Option<&'n Node> {
        let entry = self.entry(key)?;
        if matches!(entry.value.value, Value::Null) {
            cx.error(entry.key_span, format!("`{key}` has no value"))
                .help("give it one, or remove the key; an empty list is `[]`");
            return None;
        }
        Some(&entry.value)
    }

    /// Reads the value of a key that may be absent.
    pub(crate) fn optional<'c, T>(
        &self,
        cx: &mut Cx<'c>,
        key: &str,
        read: impl FnOnce(&mut Cx<'c>, &Node) -> T,
    ) -> Option<T> {
        let node = self.node(cx, key)?;
        Some(read(cx, node))
    }

    /// Reads the value of a key that must be there.
    pub(crate) fn required<'c, T: Placeholder>(
        &self,
        cx: &mut Cx<'c>,
        key: &str,
        read: impl FnOnce(&mut Cx<'c>, &Node) -> T,
    ) -> T {
        if !self.has(key) {
            self.missing(cx, key);
            return T::placeholder();
        }
        self.optional(cx, key, read).unwrap_or_else(T::placeholder)
    }

    /// Notes that a key is missing.
    pub(crate) fn missing(&self, cx: &mut Cx<'_>, key: &str) {
        if self.is_map && !self.meant.contains(&key) {
            cx.error(self.at, format!("`{key}` is missing"))
                .label(format!("{} needs it", self.shape.what));
        }
    }

    /// Reads a list of which every item stands with `- `; absent is empty.
    pub(crate) fn list<'c, T>(
        &self,
        cx: &mut Cx<'c>,
        key: &str,
        read: impl FnMut(&mut Cx<'c>, &Node) -> T,
    ) -> Vec<T> {
        self.optional(cx, key, |cx, node| cx.strict_list(node, read)).unwrap_or_default()
    }

    /// Reads a list, or one item that stands for a list of one; absent is empty.
    pub(crate) fn one_or_many<'c, T>(
        &self,
        cx: &mut Cx<'c>,
        key: &str,
        read: impl FnMut(&mut Cx<'c>, &Node) -> T,
    ) -> Vec<T> {
        self.optional(cx, key, |cx, node| cx.list(node, read)).unwrap_or_default()
    }

    /// Reads a list, or one item that stands for a list of one, of which there cannot be many.
    pub(crate) fn few<'c, T>(
        &self,
        cx: &mut Cx<'c>,
        key: &str,
        most: usize,
        mut read: impl FnMut(&mut Cx<'c>, &Node) -> T,
    ) -> Vec<T> {
        let Some(node) = self.node(cx, key) else { return Vec::new() };
        let Value::List(items) = &node.value else { return vec![read(cx, node)] };
        if let Some(beyond) = items.get(most) {
            cx.error(beyond.span, format!("`{key}` has more than {most} entries"));
        }
        items.iter().take(most).map(|item| read(cx, item)).collect()
    }

    /// Which one of several keys is there. None and more than one are noted as faults.
    pub(crate) fn exactly_one(
        &self,
        cx: &mut Cx<'_>,
        keys: &[&'static str],
    ) -> Option<&'static str> {
        let found = self.at_most_one(cx, keys);
        if found.is_none() && !self.has_unknown {
            let message = format!("{} needs one of {}", self.shape.what, key_list(keys));
            cx.error(self.at, message);
        }
        found
    }

    /// Which one of several keys is there, if any. More than one is noted as a fault.
    pub(crate) fn at_most_one(
        &self,
        cx: &mut Cx<'_>,
        keys: &[&'static str],
    ) -> Option<&'static str> {
        let mut present = keys.iter().filter_map(|key| Some((*key, self.entry(key)?.key_span)));
        let (first, first_at) = present.next()?;
        for (other, at) in present {
            cx.error(at, format!("`{other}` and `{first}` exclude each other"))
                .help(format!("{} takes one of {}", self.shape.what, key_list(keys)))
                .related(first_at, format!("`{first}` stands here"));
        }
        Some(first)
    }
}

/// Notes an unknown key, and gives back the one that was probably meant.
fn unknown_key(cx: &mut Cx<'_>, entry: &Entry, shape: &'static Shape) -> Option<&'static str> {
    let key = entry.key.as_str();
    let elsewhere = shape.elsewhere.iter().find(|(other, _)| *other == key);
    let near = cx.suggester.nearest(key, shape.keys.iter().copied());
    let fault = cx.error(entry.key_span, format!("unknown key {}", quoted(key)));
    fault.label(format!("{} has no such key", shape.what));
    match (elsewhere, near) {
        (Some((_, place)), _) => fault.help(*place),
        (None, Some(near)) => fault.help(format!("did you mean `{near}`?")),
        (None, None) => fault,
    };
    fault.help(allowed_keys(shape));
    near
}

fn allowed_keys(shape: &Shape) -> String {
    format!("{} takes: {}", shape.what, shape.keys.join(", "))
}

fn key_list(keys: &[&str]) -> String {
    word_list(keys.iter().copied())
}

/// `a`, `b` or `c`.
pub(crate) fn word_list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
