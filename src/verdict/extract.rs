//! Takes a value out of an answer or a message.

use serde_json::Value;

use super::http::Answer;
use super::matcher::compile;
use super::message::Message;
use crate::domain::spec::Extract;

/// A value that is not where it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExtractError {
    /// The body or message is no JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// Nothing stands there.
    #[error("nothing at {0}")]
    Missing(String),
    /// The pattern is none.
    #[error("{0}")]
    Pattern(String),
}

/// Takes a value out of an HTTP answer.
///
/// # Errors
/// When nothing stands there.
pub fn extract_from_answer(answer: &Answer<'_>, extract: &Extract) -> Result<Value, ExtractError> {
    match extract {
        Extract::Json(path) => {
            let json = answer.json().ok_or(ExtractError::NotJson)?;
            path.first(json).cloned().ok_or_else(|| missing(path.source()))
        }
        Extract::Header(name) => {
            let value = answer.header(name).ok_or_else(|| missing(&format!("header {name}")))?;
            Ok(Value::from(value.trim()))
        }
        Extract::Body => Ok(Value::from(String::from_utf8_lossy(answer.body).trim())),
        Extract::Regex(pattern) => from_text(&String::from_utf8_lossy(answer.body), pattern),
        Extract::Status => Ok(Value::from(answer.status)),
    }
}

/// Takes a value out of one message of a socket or stream.
///
/// # Errors
/// When nothing stands there; headers and status never do.
pub fn extract_from_message(
    message: &Message<'_>,
    extract: &Extract,
) -> Result<Value, ExtractError> {
    match extract {
        Extract::Json(path) => {
            let json = message.json().ok_or(ExtractError::NotJson)?;
            path.first(json).cloned().ok_or_else(|| missing(path.source()))
        }
        Extract::Header(name) => Err(missing(&format!("header {name}"))),
        Extract::Body => Ok(Value::from(message.text.trim())),
        Extract::Regex(pattern) => from_text(message.text, pattern),
        Extract::Status => Err(missing("status")),
    }
}

fn from_text(text: &str, pattern: &str) -> Result<Value, ExtractError> {
    let regex = compile(pattern).map_err(|fault| ExtractError::Pattern(fault.to_string()))?;
    let found = regex.captures(text).and_then(|found| found.get(1).or_else(|| found.get(0)));
    found.map(|m| Value::from(m.as_str())).ok_or_else(|| missing(&format!("regex '{pattern}'")))
}

fn missing(place: &str) -> ExtractError {
    ExtractError::Missing(place.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::JsonPath;
    use serde_json::json;

    #[test]
    fn values_are_taken_from_where_they_stand() {
        let headers = [("x-revision".to_owned(), " abc ".to_owned())];
        let answer = Answer::new(201, &headers, br#" {"a": {"b": [1, 2]}} "#);
        let get = |extract| extract_from_answer(&answer, &extract);
        assert_eq!(get(Extract::Json(JsonPath::parse("$.a.b[1]").unwrap())), Ok(json!(2)));
        assert_eq!(get(Extract::Header("x-revision".to_owned())), Ok(json!("abc")));
        assert_eq!(get(Extract::Body), Ok(json!(r#"{"a": {"b": [1, 2]}}"#)));
        assert_eq!(get(Extract::Regex("\"(.)\":".to_owned())), Ok(json!("a")));
        assert_eq!(get(Extract::Regex("b.*1".to_owned())), Ok(json!("b\": [1")));
        assert_eq!(get(Extract::Status), Ok(json!(201)));
        assert!(get(Extract::Json(JsonPath::parse("$.x").unwrap())).is_err());
        assert!(get(Extract::Header("y".to_owned())).is_err());
        assert!(get(Extract::Regex("zzz".to_owned())).is_err());
    }

    #[test]
    fn a_message_has_no_status() {
        let message = Message::new(0, r#"{"id": 7}"#, None);
        let id = Extract::Json(JsonPath::parse("$.id").unwrap());
        assert_eq!(extract_from_message(&message, &id), Ok(json!(7)));
        assert!(extract_from_message(&message, &Extract::Status).is_err());
    }
}
