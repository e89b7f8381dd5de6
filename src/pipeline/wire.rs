//! What is written in the files, as types: the source of the JSON Schemas for editors and clients.
//!
//! Nothing is read into these types. The readers next door go over the text themselves, because only so can
//! every fault be told at once and at its place; the tests below hold both to the same keys.
#![expect(dead_code, reason = "the fields exist for their schema")]

mod daemon;
mod deploy;
mod expect;
mod news;
mod pipeline;
mod request;
mod scalar;
mod step;
mod suite;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `pipelines/NAME.yaml`
    Pipeline,
    /// `pipelines/suites/NAME.yaml`
    Suite,
    /// `andon.yaml`
    Daemon,
}

/// The JSON Schema (draft 2020-12) of a kind of file.
pub fn schema(kind: Kind) -> Value {
    let (schema, title) = match kind {
        Kind::Pipeline => (generate::<pipeline::PipelineFile>(), "Andon pipeline"),
        Kind::Suite => (generate::<suite::SuiteFile>(), "Andon suite"),
        Kind::Daemon => (generate::<daemon::DaemonFile>(), "Andon daemon settings"),
    };
    let mut schema = without_null(schema);
    if let Value::Object(map) = &mut schema {
        map.insert("title".to_owned(), title.into());
    }
    schema
}

fn generate<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.to_value()
}

/// An optional key may be left out, but it may not be null, which the generator allows.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: Map<String, Value> =
                map.into_iter().map(|(key, value)| (key, without_null(value))).collect();
            Value::Object(strip_null(map))
        }
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

fn strip_null(mut map: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".to_owned(), one);
        }
    }
    let Some(Value::Array(mut options)) = map.remove("anyOf") else { return map };
    options.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
    match options.as_slice() {
        [Value::Object(one)] => {
            for (key, value) in one {
                map.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        _ => {
            map.insert("anyOf".to_owned(), Value::Array(options));
        }
    }
    map
}

#[cfg(test)]
mod tests;
