//! The schema and the readers know the same keys.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::pipeline::read::{
    case, commands, daemon, deploy, events, expect, http, identity, matcher, news, retention, root,
    step, suite, watch, ws,
};
use crate::pipeline::reader::Shape;

/// Every map that a reader opens.
fn shapes() -> Vec<&'static Shape> {
    vec![
        &root::PIPELINE,
        &identity::SECRET,
        &identity::IDENTITY,
        &identity::JWT,
        &identity::LOGIN,
        &watch::WATCH,
        &watch::AUTH,
        &watch::SCHEDULE,
        &deploy::DEPLOY,
        &deploy::DEPLOY_STEP,
        &deploy::ROLLBACK,
        &deploy::READY,
        &deploy::SURFACE,
        &http::CONTROL,
        &http::HTTP,
        &http::BASIC,
        &http::PART,
        &suite::SUITE,
        &suite::SUITE_FILE,
        &case::CASE,
        &case::DEFAULTS,
        &case::PARALLEL,
        &case::REPEAT,
        &case::CASE_EXPECT,
        &commands::COMMAND,
        &commands::RESULTS,
        &commands::QUARANTINE,
        &step::STEP,
        &step::EVENTUALLY,
        &ws::WS,
        &ws::MESSAGE,
        &ws::CLOSE,
        &expect::EXPECT,
        &expect::TLS,
        &events::EVENTS,
        &events::REFUSED,
        &events::CLOSE_EXPECT,
        &news::CYCLES,
        &news::CULPRIT,
        &news::REPORT,
        &news::IMPACT,
        &news::PUBLISH,
        &news::GIT,
        &news::NOTIFY,
        &news::SLACK,
        &news::WEBHOOK,
        &news::EMAIL,
        &news::COMMIT_STATUS,
        &news::COMMENT,
        &news::ALARM,
        &daemon::DAEMON,
        &daemon::TOKEN,
        &daemon::HOOKS,
        &retention::RETENTION,
    ]
}

type Keys = BTreeMap<String, BTreeSet<String>>;

/// The keys of every map that a schema describes, by its name.
fn keys_of(kind: Kind, root_name: &str) -> Keys {
    let schema = schema(kind);
    let mut keys = Keys::new();
    let defs = schema["$defs"].as_object().cloned().unwrap_or_default();
    let named = defs.iter().map(|(name, schema)| (name.as_str(), schema));
    for (name, schema) in named.chain([(root_name, &schema)]) {
        let Some(properties) = schema["properties"].as_object() else { continue };
        assert_eq!(schema["additionalProperties"], false, "{name} is not strict");
        keys.insert(name.to_owned(), properties.keys().cloned().collect());
        for (key, property) in properties {
            let described = property.get("description").is_some() || property.get("$ref").is_some();
            assert!(described || property.get("anyOf").is_some(), "{name}.{key} says nothing");
        }
    }
    keys
}

#[test]
fn the_schema_and_the_readers_know_the_same_keys() {
    let mut written = keys_of(Kind::Pipeline, "PipelineFile");
    written.extend(keys_of(Kind::Suite, "SuiteFile"));
    written.extend(keys_of(Kind::Daemon, "DaemonFile"));
    let mut read: Keys = shapes()
        .iter()
        .map(|shape| {
            (shape.name.to_owned(), shape.keys.iter().map(|key| (*key).to_owned()).collect())
        })
        .collect();
    let conditions = matcher::CONDITIONS.iter().map(|key| (*key).to_owned()).collect();
    read.insert("Conditions".to_owned(), conditions);
    for (name, keys) in &read {
        assert_eq!(Some(keys), written.get(name), "{name}");
    }
    let (read, written): (Vec<_>, Vec<_>) = (read.keys().collect(), written.keys().collect());
    assert_eq!(read, written);
}

#[test]
fn hints_name_no_key_that_is_allowed() {
    for shape in shapes() {
        for (key, hint) in shape.elsewhere {
            assert!(!shape.keys.contains(key), "{}.{key}: {hint}", shape.name);
        }
    }
}

/// Every `type` within a schema.
fn types(schema: &Value) -> Vec<&Value> {
    match schema {
        Value::Object(map) => {
            map.get("type").into_iter().chain(map.values().flat_map(types)).collect()
        }
        Value::Array(items) => items.iter().flat_map(types).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn nothing_may_be_null() {
    for kind in [Kind::Pipeline, Kind::Suite, Kind::Daemon] {
        let schema = schema(kind);
        let types = types(&schema);
        assert!(types.len() > 10);
        let is_null = |kind: &Value| {
            kind == "null" || kind.as_array().is_some_and(|list| list.iter().any(|t| t == "null"))
        };
        assert!(!types.into_iter().any(is_null), "{kind:?}");
    }
}
