//! Comparisons that say what was expected, what came, and where.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::story::Says;

/// Writes expectations instead of comparing with them.
const BLESS: &str = "ANDON_BLESS";

/// The text of a file in the scenario's folder must be this one.
pub(crate) fn same_as_file(path: &Path, text: &str, what: &str) {
    if std::env::var_os(BLESS).is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if without_chance(&expected) == without_chance(text) {
        return;
    }
    let lines = similar::TextDiff::from_lines(expected.as_str(), text);
    let diff = lines.unified_diff().context_radius(2).to_string();
    panic!("{what}: not as in {} ({BLESS}=1 rewrites it):\n{diff}", path.display());
}

/// Whether a kept connection was still open when a case asked for one is a matter of moments.
fn without_chance(text: &str) -> String {
    text.replace("resolve N ms · connect N ms · ", "")
}

pub(crate) fn says(text: &str, says: &Says, what: &str) {
    for piece in &says.has {
        assert!(text.contains(piece), "{what} lacks {piece:?}:\n{text}");
    }
    for piece in &says.lacks {
        assert!(!text.contains(piece), "{what} has {piece:?}:\n{text}");
    }
}

/// Each path leads to one value, which is the wanted one; `null` also means that nothing is there.
pub(crate) fn json(value: &Value, wanted: &BTreeMap<String, Value>, what: &str) {
    for (path, wanted) in wanted {
        let query = JsonPath::parse(path).unwrap_or_else(|fault| panic!("{path}: {fault}"));
        let found = query.query(value).all();
        let same = match (found.as_slice(), wanted) {
            ([], Value::Null) => true,
            ([one], wanted) => *one == wanted || is_same_list(one, wanted),
            _ => false,
        };
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(same, "{what}: {path} is {shown:?}, not {wanted} in\n{value:#}");
    }
}

/// Numbers from YAML and from JSON may differ in their kind alone.
fn is_same_list(one: &Value, other: &Value) -> bool {
    one.as_f64().zip(other.as_f64()).is_some_and(|(a, b)| (a - b).abs() < f64::EPSILON)
}
