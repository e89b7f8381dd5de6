//! JSON Schema: whether a value fits, and the first thing about it that does not.

use serde_json::Value;

use super::matcher::JudgeError;
use crate::domain::spec::SchemaRef;

/// So large may a compiled pattern be; the check of the pipeline refuses larger ones.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// The first fault of a value against a schema, with where it stands; `None` when it fits.
///
/// # Errors
/// When the schema is none.
pub(super) fn judge_schema(
    value: &Value,
    schema: &SchemaRef,
) -> Result<Option<String>, JudgeError> {
    // Patterns in linear time, as the check of the pipeline had them.
    let patterns = jsonschema::PatternOptions::regex().size_limit(MAX_PATTERN_BYTES);
    let options = jsonschema::options().with_pattern_options(patterns);
    let validator = options.build(&schema.schema).map_err(|fault| {
        let source_name = schema.source.display().to_string();
        JudgeError::Schema { source_name, fault: fault.to_string() }
    })?;
    Ok(validator.iter_errors(value).next().map(|fault| {
        let place = fault.instance_path().to_string();
        if place.is_empty() { fault.to_string() } else { format!("{fault} at {place}") }
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_fault_is_named_with_its_place() {
        let schema = SchemaRef {
            source: "message.json".into(),
            schema: Arc::new(json!({"properties": {"id": {"type": "string"}}})),
        };
        assert_eq!(judge_schema(&json!({"id": "a"}), &schema), Ok(None));
        let fault = judge_schema(&json!({"id": 1}), &schema).unwrap().unwrap();
        assert!(fault.contains("string") && fault.ends_with("at /id"), "{fault}");
    }

    #[test]
    fn a_broken_schema_is_our_fault() {
        let schema =
            SchemaRef { source: "bad.json".into(), schema: Arc::new(json!({"type": "text"})) };
        let fault = judge_schema(&json!(1), &schema).unwrap_err().to_string();
        assert!(fault.starts_with("bad.json is not a JSON Schema"), "{fault}");
    }
}
