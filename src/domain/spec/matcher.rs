//! Expectations on values: matchers, bounds, and where a value stands in an answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::domain::template::{JsonTemplate, Template};

/// Conditions that must all hold of one value.
#[derive(Debug, Clone, Serialize)]
pub struct Matcher {
    /// At least one.
    pub conditions: Vec<Condition>,
}

/// One condition on a value.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The same JSON value; numbers by value, so that 1 equals 1.0.
    Equals(JsonTemplate),
    /// The value is there, and the inner matcher does not hold of it. Of what is missing only
    /// `not: { exists: true }` holds.
    Not(Box<Matcher>),
    /// A string holds this text, a list holds this element, a map holds this key.
    Contains(JsonTemplate),
    /// A string matches this regular expression (linear time, searched, not anchored).
    Matches(Template),
    /// The value is there, or is not. JSON null is there.
    Exists(bool),
    /// The value has this JSON type.
    Type(JsonType),
    /// The value equals one of these.
    OneOf(Vec<JsonTemplate>),
    /// A number (or a text of one) compares so with another.
    Compare(Ordering, JsonTemplate),
    /// The number of characters, elements or keys fits.
    Length(Box<Matcher>),
    /// Every element of the list fits; an empty list does.
    Each(Box<Matcher>),
    /// The value fits a JSON Schema.
    Schema(SchemaRef),
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Ordering {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Ordering {
    /// The sign as the contract writes it.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether `left` compares so with `right`.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// A JSON type, in the words of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonType {
    /// null
    Null,
    /// true or false
    Boolean,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// A map.
    Object,
}

/// A JSON Schema: where it was read from, and what it says.
#[derive(Debug, Clone, Serialize)]
pub struct SchemaRef {
    /// The file (as written), or `inline`.
    pub source: PathBuf,
    /// The schema, checked to be one.
    pub schema: Arc<Value>,
}

/// A bound on a duration, as `< 2s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DurationBound {
    /// How the measured duration must compare …
    pub ordering: Ordering,
    /// … with this one.
    pub limit: Duration,
}

/// A percentile over the runs of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Percentile {
    /// The fastest run.
    Min,
    /// The median.
    P50,
    /// Nine of ten.
    P90,
    /// 95 of 100.
    P95,
    /// 99 of 100.
    P99,
    /// The slowest run.
    Max,
}

/// A JSONPath (RFC 9535), parsed.
#[derive(Debug, Clone)]
pub struct JsonPath {
    source: String,
    parsed: serde_json_path::JsonPath,
}

/// A text that is not a JSONPath, or one too long or too deep to read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InvalidJsonPath(String);

impl JsonPath {
    /// Reads a JSONPath of at most 2,000 bytes and 64 brackets: the parser recurses, and more
    /// could exhaust its stack.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(source: &str) -> Result<Self, InvalidJsonPath> {
        let brackets = source.bytes().filter(|b| matches!(b, b'(' | b'[')).count();
        if source.len() > 2_000 || brackets > 64 {
            let fault = "a JSONPath may have at most 2,000 bytes and 64 opening brackets";
            return Err(InvalidJsonPath(fault.to_owned()));
        }
        let parsed = serde_json_path::JsonPath::parse(source)
            .map_err(|fault| InvalidJsonPath(format!("not a JSONPath: {fault}")))?;
        Ok(Self { source: source.to_owned(), parsed })
    }

    /// The path as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every value that it selects.
    pub fn select<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.parsed.query(value).all()
    }

    /// The first value that it selects.
    pub fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.parsed.query(value).first()
    }
}

impl Serialize for JsonPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

/// Where a value stands in an answer: `json $.x`, `header NAME`, `body`, `regex '…'`, `status`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extract {
    /// In a JSON body or message, the first that the path selects.
    Json(JsonPath),
    /// A header, its name in lower case.
    Header(String),
    /// The whole body, white space around it taken off.
    Body,
    /// The first group of a regular expression, or the whole match when it has none.
    Regex(String),
    /// The HTTP status.
    Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_exhaust_the_stack_is_refused() {
        assert!(JsonPath::parse("$.a[?@.b > 1]").is_ok());
        assert!(
            JsonPath::parse(&format!("$[?{}@.a{}]", "(".repeat(900), ")".repeat(900))).is_err()
        );
        assert!(JsonPath::parse("$.[").is_err());
    }
}
