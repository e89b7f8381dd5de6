//! JSON Schemas that answers are checked against: from a file, or written in place.

use std::path::Path;
use std::sync::Arc;

use super::first_line;
use super::pattern::MAX_COMPILED_BYTES;
use crate::domain::spec::SchemaRef;
use crate::pipeline::faults::Span;
use crate::pipeline::reader::Cx;
use crate::pipeline::source::MAX_SCHEMA_BYTES;
use crate::pipeline::yaml::{Node, Value};

/// The most JSON Schemas of a pipeline: each costs time to check.
const MAX_SCHEMAS: u32 = 500;

impl Cx<'_> {
    /// Reads a JSON Schema: the name of a file, or the schema itself.
    pub(crate) fn schema(&mut self, node: &Node) -> SchemaRef {
        match &node.value {
            Value::Text(written) => {
                let path = self.path(node);
                let schema = match self.schemas.get(&path) {
                    Some(known) => Arc::clone(known),
                    None => {
                        let read = self.schema_file(node, &path);
                        self.schemas.insert(path, Arc::clone(&read));
                        read
                    }
                };
                SchemaRef { source: written.into(), schema }
            }
            Value::Map(_) | Value::Bool(_) => {
                let schema = node.to_json();
                self.check_schema(&schema, node.span);
                SchemaRef { source: "inline".into(), schema: schema.into() }
            }
            Value::Null | Value::Number(_) | Value::List(_) => {
                self.wrong_type(node, "a JSON Schema or the name of its file");
                SchemaRef { source: "inline".into(), schema: serde_json::Value::Null.into() }
            }
        }
    }

    fn schema_file(&mut self, node: &Node, path: &Path) -> Arc<serde_json::Value> {
        let nothing = || Arc::new(serde_json::Value::Null);
        let Some((file, text)) = self.load_text(path, MAX_SCHEMA_BYTES, Some(node.span)) else {
            return nothing();
        };
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(schema) => {
                self.check_schema(&schema, node.span);
                schema.into()
            }
            Err(fault) => {
                let at = offset_of(&text, fault.line(), fault.column());
                let message = format!("not JSON: {}", without_position(&fault.to_string()));
                self.error(Span::new(file, at, at + 1), message);
                nothing()
            }
        }
    }

    fn check_schema(&mut self, schema: &serde_json::Value, at: Span) {
        self.schemas_checked += 1;
        if self.schemas_checked > MAX_SCHEMAS {
            self.error(at, format!("more than {MAX_SCHEMAS} JSON Schemas"));
            return;
        }
        let built = jsonschema::options()
            .with_pattern_options(
                jsonschema::PatternOptions::regex().size_limit(MAX_COMPILED_BYTES),
            )
            .build(schema);
        if let Err(fault) = built {
            let message = format!("not a JSON Schema: {}", first_line(&fault.to_string()));
            let place = fault.instance_path().to_string();
            let noted = self.error(at, message);
            if !place.is_empty() {
                noted.label(format!("at {place}"));
            }
        }
    }
}

fn without_position(text: &str) -> &str {
    text.split(" at line ").next().unwrap_or(text)
}

/// The byte of a line and column, both from 1.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}
