//! Parser events → tree, within budgets.

use std::collections::{BTreeMap, HashMap};

use serde_yaml::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, Tag};

use super::super::diagnostic::quoted;
use super::super::faults::{Faults, Span};
use super::{Entry, MAX_ALIASED_NODES, MAX_DEPTH, MAX_NODES, Node, Value, scalar};

/// Ends the reading of a file whose fault is already noted.
struct Stop;

/// A collection whose end was not seen yet.
enum Frame {
    List { start: usize, anchor: usize, items: Vec<Node> },
    Map(MapFrame),
}

struct MapFrame {
    start: usize,
    anchor: usize,
    entries: Vec<Entry>,
    seen: BTreeMap<String, Span>,
    /// The key whose value comes next; `None` within stands for a key that was refused.
    pending: Option<(Option<String>, Span)>,
    merges: Vec<Node>,
}

/// Builds the tree of one file.
pub(super) struct Builder<'a> {
    file: u16,
    text: &'a str,
    faults: &'a mut Faults,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes_left: &'a mut usize,
    aliased: usize,
    root: Option<Node>,
    documents: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        file: u16,
        text: &'a str,
        faults: &'a mut Faults,
        nodes_left: &'a mut usize,
    ) -> Self {
        Self {
            file,
            text,
            faults,
            frames: Vec::new(),
            anchors: HashMap::new(),
            nodes_left,
            aliased: 0,
            root: None,
            documents: 0,
        }
    }

    /// Reads all events. `None` when the text is not one YAML document.
    pub(super) fn run(mut self) -> Option<Node> {
        let mut options = granit_parser::options! {
            disallow_directives: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        options.set_emit_comments(false);
        for event in Parser::new_from_str_with_options(self.text, options) {
            let outcome = match event {
                Ok((event, span)) => self.take(event, span),
                Err(fault) => {
                    self.note_syntax(&fault);
                    Err(Stop)
                }
            };
            if outcome.is_err() {
                return None;
            }
        }
        if self.root.is_none() {
            self.faults.file_error(self.file, "the file is empty");
        }
        self.root
    }

    fn take(&mut self, event: Event<'_>, at: granit_parser::Span) -> Result<(), Stop> {
        let span = self.span(at);
        match event {
            Event::DocumentStart(..) => self.start_document(span),
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), at, &["str", "int", "float", "bool", "null"]);
                let is_text = style != ScalarStyle::Plain
                    || tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                let value = self.scalar(&text, is_text, span);
                self.complete(Node { span, value }, anchor, Some(&text))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), at, &["seq"]);
                let frame = Frame::List { start: span.start as usize, anchor, items: Vec::new() };
                self.open(frame, span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), at, &["map"]);
                self.open(Frame::Map(MapFrame::new(span.start as usize, anchor)), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            // The stream's and the document's ends, and what our options switch off.
            _ => Ok(()),
        }
    }

    fn span(&self, at: granit_parser::Span) -> Span {
        let offset = |marker: granit_parser::Marker| {
            marker.byte_offset().unwrap_or_else(|| {
                let index = marker.index();
                self.text.char_indices().nth(index).map_or(self.text.len(), |(byte, _)| byte)
            })
        };
        Span::new(self.file, offset(at.start), offset(at.end))
    }

    fn start_document(&mut self, span: Span) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        self.faults
            .error(span, "a second document begins here")
            .help("a file holds one document: put the other one into a file of its own");
        Err(Stop)
    }

    fn scalar(&mut self, text: &str, is_text: bool, span: Span) -> Value {
        if is_text {
            return Value::Text(text.to_owned());
        }
        scalar::resolve(text).unwrap_or_else(|scalar::Inexact| {
            self.faults
                .error(span, "the number is too large to be kept exactly")
                .help("put it in quotes to keep it as a text");
            Value::Null
        })
    }

    fn check_tag(&mut self, tag: Option<&Tag>, at: granit_parser::Span, allowed: &[&str]) {
        let Some(tag) = tag else { return };
        let known = tag.core_suffix().is_some_and(|suffix| allowed.contains(&suffix));
        if known || tag.original() == "!" {
            return;
        }
        let span = at.tag_span().map_or_else(|| self.span(at), |tag| self.span(tag));
        self.faults
            .error(span, format!("unknown tag {}", quoted(&tag.original())))
            .help("remove the tag: the keys already say what a value is");
    }

    fn open(&mut self, frame: Frame, span: Span) -> Result<(), Stop> {
        if self.frames.len() >= MAX_DEPTH {
            self.faults.error(span, format!("nested more than {MAX_DEPTH} levels deep"));
            return Err(Stop);
        }
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Stop> {
        let end = span.end as usize;
        match self.frames.pop() {
            Some(Frame::List { start, anchor, items }) => {
                let end = items.last().map_or(end, |item| end.min(item.span.end as usize + 1));
                let span = Span::new(self.file, start, end);
                self.complete(Node { span, value: Value::List(items) }, anchor, None)
            }
            Some(Frame::Map(map)) => {
                let last = map.entries.last().map(|entry| entry.value.span.end as usize + 1);
                let span = Span::new(self.file, map.start, last.map_or(end, |last| end.min(last)));
                let anchor = map.anchor;
                let value = Value::Map(map.finish(self.faults));
                self.complete(Node { span, value }, anchor, None)
            }
            None => Ok(()),
        }
    }

    /// Puts a finished value where it belongs. `as_key` is its text where it can be a key.
    fn complete(&mut self, node: Node, anchor: usize, as_key: Option<&str>) -> Result<(), Stop> {
        self.count(1, node.span)?;
        if anchor != 0 {
            self.count(node.size(), node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.frames.last_mut() {
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map(map)) => map.take(node, as_key, self.faults),
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&id) else {
            self.faults.error(span, "the alias stands within what it stands for");
            return Err(Stop);
        };
        let size = node.size();
        self.aliased += size;
        if self.aliased > MAX_ALIASED_NODES {
            let message = format!("aliases repeat more than {MAX_ALIASED_NODES} values");
            self.faults.error(span, message);
            return Err(Stop);
        }
        let node = node.clone();
        self.count(size - 1, span)?;
        let as_key = node.as_text().map(str::to_owned);
        self.complete(node, 0, as_key.as_deref())
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Stop> {
        if let Some(left) = self.nodes_left.checked_sub(more) {
            *self.nodes_left = left;
            return Ok(());
        }
        let message = format!("the pipeline and its files have more than {MAX_NODES} values");
        self.faults.error(span, message);
        Err(Stop)
    }

    fn note_syntax(&mut self, fault: &granit_parser::ScanError) {
        let at = self.span(granit_parser::Span::empty(*fault.marker()));
        let message = match fault.kind() {
            ErrorKind::RecursionLimitExceeded => {
                format!("nested more than {MAX_DEPTH} levels deep")
            }
            _ => format!("not YAML: {}", fault.info()),
        };
        self.faults.error(at, message);
    }
}

impl MapFrame {
    fn new(start: usize, anchor: usize) -> Self {
        let (entries, merges) = (Vec::new(), Vec::new());
        Self { start, anchor, entries, seen: BTreeMap::new(), pending: None, merges }
    }

    fn take(&mut self, node: Node, as_key: Option<&str>, faults: &mut Faults) {
        match self.pending.take() {
            None => self.pending = Some((self.key(&node, as_key, faults), node.span)),
            Some((Some(key), _)) if key == "<<" => self.merges.push(node),
            Some((Some(key), key_span)) => {
                self.entries.push(Entry { key, key_span, value: node });
            }
            Some((None, _)) => {}
        }
    }

    fn key(&mut self, node: &Node, as_key: Option<&str>, faults: &mut Faults) -> Option<String> {
        let Some(key) = as_key.filter(|key| !key.is_empty()) else {
            let fault = faults.error(node.span, "a key must be a text");
            fault.label(format!("this is {}", node.kind()));
            return None;
        };
        if let Some(first) = self.seen.get(key) {
            faults
                .error(node.span, format!("the key {} stands here twice", quoted(key)))
                .related(*first, "first here");
            return None;
        }
        self.seen.insert(key.to_owned(), node.span);
        Some(key.to_owned())
    }

    /// Adds what `<<` merges in: keys of this map win, then the maps in the order written.
    fn finish(mut self, faults: &mut Faults) -> Vec<Entry> {
        for merge in std::mem::take(&mut self.merges) {
            let at = merge.span;
            let maps = match merge.value {
                Value::List(items) => items,
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Text(_)
                | Value::Map(_) => vec![merge],
            };
            for map in maps {
                let Value::Map(entries) = map.value else {
                    faults.error(at, "`<<` merges maps only");
                    continue;
                };
                for entry in entries {
                    if !self.seen.contains_key(&entry.key) {
                        self.seen.insert(entry.key.clone(), entry.key_span);
                        self.entries.push(entry);
                    }
                }
            }
        }
        self.entries
    }
}
