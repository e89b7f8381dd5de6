//! What a plain word of YAML means.

use super::Value;

/// A number that would not survive: too large to be kept exactly.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inexact;

/// Reads a plain scalar: null, true, false and JSON numbers are what they look like, all else is a text.
pub(super) fn resolve(text: &str) -> Result<Value, Inexact> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_json_number(text) => Value::Number(number(text)?),
        _ => Value::Text(text.to_owned()),
    })
}

fn number(text: &str) -> Result<serde_json::Number, Inexact> {
    let number: serde_json::Number = serde_json::from_str(text).map_err(|_| Inexact)?;
    let is_integer = !text.contains(['.', 'e', 'E']);
    if is_integer && number.is_f64() && text != "-0" { Err(Inexact) } else { Ok(number) }
}

fn is_json_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || (digits > 1 && text.starts_with('0')) {
        return false;
    }
    let mut rest = &text[digits..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        return !exponent.is_empty() && exponent.bytes().all(|b| b.is_ascii_digit());
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_json_numbers_are_numbers() {
        for text in ["0", "-1", "3.5", "1e3", "2E-1", "-0", "18446744073709551615"] {
            assert!(matches!(resolve(text).unwrap(), Value::Number(_)), "{text}");
        }
        for text in [
            "0777",
            "08",
            "1_000",
            "0x1f",
            "0o17",
            "+1",
            "1.",
            ".5",
            "1:30",
            "12e",
            ".inf",
            ".nan",
            "1.2.3",
            "2026-12-31",
            "-",
            "1e+",
        ] {
            assert!(matches!(resolve(text).unwrap(), Value::Text(_)), "{text}");
        }
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        for text in ["yes", "no", "on", "off", "y", "n", "tRue"] {
            assert!(matches!(resolve(text).unwrap(), Value::Text(_)), "{text}");
        }
        assert!(matches!(resolve("True").unwrap(), Value::Bool(true)));
        assert!(matches!(resolve("~").unwrap(), Value::Null));
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        assert!(resolve("123456789012345678901234567890").is_err());
        assert!(resolve("1e999").is_err());
    }
}
