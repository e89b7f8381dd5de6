//! Texts with `${name}` in them, as they stand in the native steps of a pipeline (SPEC section 3).
//!
//! A template is checked when it is read and filled in when its step runs. `$$` is a dollar sign; a
//! dollar sign before anything else stands for itself, so that `^…$` needs no care. A text that is
//! nothing but one reference keeps the JSON type of what it refers to.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A text with references, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Ref(String),
}

/// What is wrong in a template, and at which byte of it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// `${` without `}`.
    #[error("`${{` at byte {at} has no closing `}}`")]
    Unclosed {
        /// Where the reference begins.
        at: usize,
    },
    /// A name that cannot be one.
    #[error("`${{{name}}}` at byte {at} is not a name: use letters, digits, `_`, `-` and `.`")]
    BadName {
        /// The name as written.
        name: String,
        /// Where the reference begins.
        at: usize,
    },
}

/// A reference to a name that nothing gave a value to.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error("nothing gave `${{{0}}}` a value")]
pub struct UnknownName(pub String);

/// Where the values of names come from.
pub trait Lookup {
    /// The value of a name, if it has one now.
    fn get(&self, name: &str) -> Option<Value>;

    /// The step that captured the value of a name, where one did, for people.
    fn captured_by(&self, _name: &str) -> Option<String> {
        None
    }

    /// The same as text, told apart by who made it. Where nothing else is known, the pipeline did.
    fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
        let text = text_of(&self.get(name)?);
        Some(vec![Piece { text, origin: Origin::Written }])
    }
}

/// A part of a text that is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The part.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Who made a part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Whoever wrote the pipeline and set up its environment.
    Written,
    /// A secret or a token; with the name that stood for it.
    Secret(String),
    /// The world outside: captured from an answer, read from git; with the name that stood for it.
    Learnt(String),
}

impl<F: Fn(&str) -> Option<Value>> Lookup for F {
    fn get(&self, name: &str) -> Option<Value> {
        self(name)
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When a reference is not closed or its name is not one.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(dollar) = rest.find('$') {
            text.push_str(&rest[..dollar]);
            let after = &rest[dollar + 1..];
            let at = source.len() - rest.len() + dollar;
            if let Some(tail) = after.strip_prefix('$') {
                text.push('$');
                rest = tail;
            } else if let Some(tail) = after.strip_prefix('{') {
                let end = tail.find('}').ok_or(TemplateError::Unclosed { at })?;
                let name = tail[..end].trim();
                if !is_name(name) {
                    return Err(TemplateError::BadName {
                        name: name.chars().take(60).collect(),
                        at,
                    });
                }
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Ref(name.to_owned()));
                rest = &tail[end + 1..];
            } else {
                text.push('$');
                rest = after;
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    /// A template that is this very text, whatever stands in it.
    pub fn literal(text: &str) -> Self {
        let parts = if text.is_empty() { vec![] } else { vec![Part::Text(text.to_owned())] };
        Self { source: text.replace('$', "$$"), parts }
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it refers to, in order, with repetitions.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Ref(name) => Some(name.as_str()),
        })
    }

    /// Fills it in as text.
    ///
    /// # Errors
    /// When a name has no value.
    pub fn render(&self, lookup: &dyn Lookup) -> Result<String, UnknownName> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Ref(name) => out.push_str(&text_of(&value_of(name, lookup)?)),
            }
        }
        Ok(out)
    }

    /// Fills it in as text, told apart by who made each part.
    ///
    /// # Errors
    /// When a name has no value.
    pub fn pieces(&self, lookup: &dyn Lookup) -> Result<Vec<Piece>, UnknownName> {
        let mut pieces = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    pieces.push(Piece { text: text.clone(), origin: Origin::Written });
                }
                Part::Ref(name) => {
                    pieces.extend(lookup.pieces(name).ok_or_else(|| UnknownName(name.to_owned()))?)
                }
            }
        }
        Ok(pieces)
    }

    /// Fills it in as JSON: a lone reference keeps its type, all else is a string.
    ///
    /// # Errors
    /// When a name has no value.
    pub fn render_value(&self, lookup: &dyn Lookup) -> Result<Value, UnknownName> {
        match self.parts.as_slice() {
            [Part::Ref(name)] => value_of(name, lookup),
            _ => self.render(lookup).map(Value::from),
        }
    }
}

fn value_of(name: &str, lookup: &dyn Lookup) -> Result<Value, UnknownName> {
    lookup.get(name).ok_or_else(|| UnknownName(name.to_owned()))
}

/// A JSON value as text: strings bare, all else as JSON.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

/// A JSON value whose strings, keys excepted, are templates.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonTemplate {
    /// null, true, false and numbers.
    Plain(Value),
    /// A string.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// A map, in the order written.
    Map(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Reads every string within a value as a template.
    ///
    /// # Errors
    /// The first template that is not one.
    pub fn parse(value: &Value) -> Result<Self, TemplateError> {
        Ok(match value {
            Value::String(text) => Self::Text(Template::parse(text)?),
            Value::Array(items) => {
                Self::List(items.iter().map(Self::parse).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => Self::Map(
                map.iter()
                    .map(|(key, value)| Ok((key.clone(), Self::parse(value)?)))
                    .collect::<Result<_, TemplateError>>()?,
            ),
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Self::Plain(plain.clone()),
        })
    }

    /// Fills in every string.
    ///
    /// # Errors
    /// When a name has no value.
    pub fn render(&self, lookup: &dyn Lookup) -> Result<Value, UnknownName> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::Text(template) => template.render_value(lookup)?,
            Self::List(items) => {
                Value::Array(items.iter().map(|i| i.render(lookup)).collect::<Result<_, _>>()?)
            }
            Self::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), item.render(lookup)?)))
                    .collect::<Result<_, UnknownName>>()?,
            ),
        })
    }

    /// Calls `visit` with every name referred to.
    pub fn for_each_reference<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        match self {
            Self::Plain(_) => {}
            Self::Text(template) => template.references().for_each(visit),
            Self::List(items) => items.iter().for_each(|item| item.for_each_reference(visit)),
            Self::Map(entries) => {
                entries.iter().for_each(|(_, item)| item.for_each_reference(visit));
            }
        }
    }

    /// The value as it was written.
    pub fn source(&self) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Text(template) => Value::from(template.source()),
            Self::List(items) => Value::Array(items.iter().map(Self::source).collect()),
            Self::Map(entries) => {
                Value::Object(entries.iter().map(|(k, v)| (k.clone(), v.source())).collect())
            }
        }
    }
}

impl Serialize for JsonTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn values(name: &str) -> Option<Value> {
        match name {
            "a" => Some(json!("one")),
            "n" => Some(json!(2)),
            "identity.bob.token" => Some(json!("t")),
            _ => None,
        }
    }

    #[test]
    fn references_are_filled_in() {
        let render = |text: &str| Template::parse(text).unwrap().render(&values);
        assert_eq!(render("x${a}y${ n }").unwrap(), "xoney2");
        assert_eq!(render("Bearer ${identity.bob.token}").unwrap(), "Bearer t");
        assert_eq!(render("^a$|$x $5 $$ $${a}").unwrap(), "^a$|$x $5 $ ${a}");
        assert_eq!(render("${b}"), Err(UnknownName("b".to_owned())));
    }

    #[test]
    fn a_lone_reference_keeps_its_type() {
        let template =
            JsonTemplate::parse(&json!({"k": "${n}", "l": ["${n}!"], "m": null})).unwrap();
        assert_eq!(template.render(&values).unwrap(), json!({"k": 2, "l": ["2!"], "m": null}));
    }

    #[test]
    fn faults_say_where() {
        assert_eq!(Template::parse("ab${c"), Err(TemplateError::Unclosed { at: 2 }));
        let bad = TemplateError::BadName { name: "c d".to_owned(), at: 1 };
        assert_eq!(Template::parse("x${c d}"), Err(bad));
    }

    #[test]
    fn a_literal_refers_to_nothing() {
        let template = Template::literal("${a}$");
        assert_eq!(template.render(&values).unwrap(), "${a}$");
        assert_eq!(template.references().count(), 0);
    }
}
