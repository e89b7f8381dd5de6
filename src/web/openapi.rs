//! The OpenAPI 3.1 document, made from the table of routes and the types that are sent.

use std::sync::OnceLock;

use axum::response::IntoResponse as _;
use http::header::CONTENT_TYPE;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::access::{Need, word};
use super::call::{Answer, Call};
use super::problem::ProblemForm;
use super::routes::{Content, Method, Parameter, Place, Route, routes};

/// `GET /api/v1/openapi.json`
pub(super) async fn serve(_: Call) -> Answer {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let text = DOCUMENT.get_or_init(|| openapi().to_string());
    Ok(([(CONTENT_TYPE, "application/json")], text.as_str()).into_response())
}

/// The document.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    schemas.subschema_for::<ProblemForm>();
    let mut paths = Map::new();
    for route in routes() {
        let path = paths.entry(route.path.replace("{*", "{")).or_insert_with(|| json!({}));
        path[method(route)] = operation(route, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Andon",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Closes the loop between a merge and the proof that staging still works.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `tokens` in andon.yaml. Without any, on this machine alone, none is needed.",
                },
            },
        },
    })
}

/// The name of a route's method in the document.
fn method(route: &Route) -> &'static str {
    match route.method {
        Method::Get => "get",
        Method::Post => "post",
    }
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = in_path(route.path).map(path_parameter).collect();
    parameters.extend(route.parameters.iter().map(parameter));
    let mut operation = json!({
        "operationId": route.operation,
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            route.status.to_string(): {
                "description": "It was done.",
                "content": content(route.answer, schemas),
            },
            "default": {
                "description": "It was not done, and why.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        },
    });
    match route.need {
        Need::Nothing | Need::Login => {}
        Need::Signature => {
            operation["description"] =
                json!("Signed as the forge does it; answers 404 where no secret is configured.");
        }
        Need::Role(role) => {
            operation["security"] = json!([{ "token": [] }]);
            operation["x-role"] = json!(word(role));
        }
    }
    if !matches!(route.request, Content::Nothing) {
        operation["requestBody"] = json!({ "content": content(route.request, schemas) });
    }
    operation
}

fn content(content: Content, schemas: &mut SchemaGenerator) -> Value {
    match content {
        Content::Json(form) => json!({ "application/json": { "schema": form(schemas) } }),
        Content::Other(kind) => json!({ kind: {} }),
        Content::Nothing => json!({}),
    }
}

/// The names in braces.
fn in_path(path: &str) -> impl Iterator<Item = &str> {
    let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    parts.map(|name| name.trim_start_matches('*'))
}

fn path_parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

fn parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Query => "query",
        Place::Header => "header",
    };
    json!({
        "name": parameter.name,
        "in": place,
        "description": parameter.says,
        "schema": { "type": parameter.kind },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_once() {
        let document = openapi();
        let mut operations = BTreeSet::new();
        let mut count = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                count += 1;
                operations.insert(operation["operationId"].as_str().unwrap().to_owned());
                let braces = path.matches('{').count();
                let parameters = operation["parameters"].as_array().unwrap();
                let in_path = parameters.iter().filter(|p| p["in"] == "path").count();
                assert_eq!(in_path, braces, "{method} {path}");
            }
        }
        assert_eq!(count, routes().len());
        assert_eq!(operations.len(), count, "an operation has a name of its own");
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = openapi();
        let text = document.to_string();
        let mut found = 0;
        for rest in text.split("\"$ref\":\"#").skip(1) {
            let pointer = rest.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            found += 1;
        }
        assert!(found > 20, "{found}");
    }

    #[test]
    fn what_changes_something_takes_a_role_or_a_signature() {
        for route in routes() {
            let guarded = !matches!(route.need, Need::Nothing);
            assert!(guarded || route.method == Method::Get, "{}", route.path);
        }
    }
}
