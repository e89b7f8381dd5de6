//! Addresses made from templates: what the pipeline's author wrote stands as it was written, what
//! came from outside is percent-encoded, so that no `/`, `?`, `#` or `@` in a value can change which
//! address is asked, or end in a place where no mask expects it.
//!
//! - A template that *begins* with a value takes it as the beginning of the address, as it is.
//! - A value in the path, the query or the user of an address is one component of it (RFC 3986,
//!   section 2.1): all but unreserved characters are encoded. Within a host nothing can be encoded, so
//!   there a value must have the characters of one.
//! - A captured value that begins with `/`, where no `/` stands before it, is a path with its query.

use std::fmt::Write as _;

use super::template::{Lookup, Origin, Piece, Template, UnknownName};

/// Why a template makes no address. No message holds a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// A name without a value.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A value that would make another host.
    #[error(
        "the value of `${{{name}}}` has characters that no host may have, and stands within the host of `{source_text}`"
    )]
    NoHost {
        /// The name.
        name: String,
        /// The template as it was written.
        source_text: String,
    },
    /// A step of a path that every client takes away.
    #[error(
        "the value of `${{{name}}}` is a `.` or `..`, which cannot be a step of the path of `{source_text}`"
    )]
    Dots {
        /// The name.
        name: String,
        /// The template as it was written.
        source_text: String,
    },
}

/// Fills in an address.
///
/// # Errors
/// When a name has no value, or a value cannot stand where it should.
pub fn render_address(template: &Template, lookup: &dyn Lookup) -> Result<String, AddressError> {
    let pieces = template.pieces(lookup)?;
    let mut address = Address::default();
    for (index, piece) in pieces.iter().enumerate() {
        match &piece.origin {
            Origin::Written => address.push(&piece.text),
            _ if address.text.is_empty() => address.push(&piece.text),
            Origin::Secret(name) | Origin::Learnt(name) => {
                let fault = address.push_value(piece, &pieces[index + 1..]).err();
                let (name, source_text) = (name.clone(), template.source().to_owned());
                match fault {
                    None => {}
                    Some(Unfit::Host) => return Err(AddressError::NoHost { name, source_text }),
                    Some(Unfit::Dots) => return Err(AddressError::Dots { name, source_text }),
                }
            }
        }
    }
    Ok(address.text)
}

/// A text as one component of an address: all but unreserved characters percent-encoded.
pub fn encode_component(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_unreserved(byte) {
            true => out.push(char::from(byte)),
            false => write!(out, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    out
}

/// Whether a byte stands for itself wherever it stands in an address (RFC 3986, section 2.3).
pub fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What of an address the next character belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Scheme,
    Authority,
    Path,
    /// The query, or the fragment after it.
    Query,
}

/// Why a value cannot stand where it should.
enum Unfit {
    Host,
    Dots,
}

/// An address as far as it is filled in.
#[derive(Default)]
struct Address {
    text: String,
    place: Place,
}

impl Address {
    /// Appends a text as it is.
    fn push(&mut self, text: &str) {
        let before = self.text.len();
        self.text.push_str(text);
        let mut from = before;
        if self.place == Place::Scheme {
            let Some(at) = self.text.find("://") else { return };
            self.place = Place::Authority;
            from = (at + 3).max(before);
        }
        let added = &self.text[from..];
        if self.place == Place::Authority {
            let Some(end) = added.find(['/', '\\', '?', '#']) else { return };
            self.place = Place::Path;
            from += end;
        }
        if self.place == Place::Path && self.text[from..].contains(['?', '#']) {
            self.place = Place::Query;
        }
    }

    /// Appends a value that came from outside; `rest` is what follows it.
    fn push_value(&mut self, piece: &Piece, rest: &[Piece]) -> Result<(), Unfit> {
        let text = piece.text.as_str();
        let is_path = matches!(piece.origin, Origin::Learnt(_)) && text.starts_with('/');
        match self.place {
            Place::Authority if is_user(rest) => {}
            Place::Authority if is_path => {
                self.push(text);
                return Ok(());
            }
            Place::Authority if text.chars().all(is_of_host) => {}
            Place::Authority => return Err(Unfit::Host),
            Place::Path if is_path && !self.text.ends_with('/') => {
                self.push(text);
                return Ok(());
            }
            Place::Path if matches!(text, "." | "..") => return Err(Unfit::Dots),
            Place::Scheme | Place::Path | Place::Query => {}
        }
        match self.place {
            Place::Authority if !is_user(rest) => self.text.push_str(text),
            Place::Scheme | Place::Authority | Place::Path | Place::Query => {
                self.text.push_str(&encode_component(text));
            }
        }
        Ok(())
    }
}

/// Whether what stands before `rest` within an authority is its user or password.
fn is_user(rest: &[Piece]) -> bool {
    let written = rest.iter().filter(|piece| piece.origin == Origin::Written);
    let mark =
        written.filter_map(|piece| piece.text.chars().find(|c| "@/\\?#".contains(*c))).next();
    mark == Some('@')
}

/// Names, addresses and ports.
fn is_of_host(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    struct Values;

    impl Lookup for Values {
        fn get(&self, name: &str) -> Option<Value> {
            Some(Value::from(match name {
                "base" => "https://h.example/app",
                "host" => "https://h.example",
                "written" => "a/b?c=d",
                "secret.key" => "s#e&c?r e/t@%",
                "secret.url" => "https://hooks.example/a#b",
                "secret.name" => "h.example:81",
                "id" => "a/b c",
                "next" => "/items?page=2&x",
                "dots" => "..",
                "location" => "https://h.example/x?y=z&w",
                _ => return None,
            }))
        }

        fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
            let text = self.get(name)?.as_str()?.to_owned();
            let origin = match name {
                "base" | "host" | "written" => Origin::Written,
                secret if secret.starts_with("secret.") => Origin::Secret(secret.to_owned()),
                learnt => Origin::Learnt(learnt.to_owned()),
            };
            Some(vec![Piece { text, origin }])
        }
    }

    fn render(text: &str) -> Result<String, String> {
        let template = Template::parse(text).unwrap();
        render_address(&template, &Values).map_err(|fault| fault.to_string())
    }

    const KEY: &str = "s%23e%26c%3Fr%20e%2Ft%40%25";

    #[test]
    fn a_value_is_a_component_wherever_it_stands() {
        for (template, wanted) in [
            ("${base}/x/${secret.key}/y", format!("https://h.example/app/x/{KEY}/y")),
            ("${base}?k=${secret.key}&l=1", format!("https://h.example/app?k={KEY}&l=1")),
            ("${base}?a#${secret.key}", format!("https://h.example/app?a#{KEY}")),
            ("https://u:${secret.key}@h/", format!("https://u:{KEY}@h/")),
            ("https://${secret.key}:${id}@h/", format!("https://{KEY}:a%2Fb%20c@h/")),
            ("${base}/${id}", "https://h.example/app/a%2Fb%20c".to_owned()),
            ("${base}/${written}", "https://h.example/app/a/b?c=d".to_owned()),
            ("https://${secret.name}/x", "https://h.example:81/x".to_owned()),
            ("${base}/${written}/${id}", "https://h.example/app/a/b?c=d/a%2Fb%20c".to_owned()),
        ] {
            assert_eq!(render(template).as_deref(), Ok(wanted.as_str()), "{template}");
        }
    }

    #[test]
    fn a_value_at_the_beginning_is_the_beginning() {
        let location = "https://h.example/x?y=z&w";
        assert_eq!(render("${location}").unwrap(), location);
        assert_eq!(render("${location}&id=${id}").unwrap(), format!("{location}&id=a%2Fb%20c"));
        assert_eq!(render("${secret.url}").unwrap(), "https://hooks.example/a#b");
    }

    #[test]
    fn a_captured_path_is_one_where_one_can_begin() {
        let next = "items?page=2&x";
        assert_eq!(render("${host}${next}").unwrap(), format!("https://h.example/{next}"));
        assert_eq!(render("${base}${next}").unwrap(), format!("https://h.example/app/{next}"));
        assert_eq!(
            render("${base}/${next}").unwrap(),
            "https://h.example/app/%2Fitems%3Fpage%3D2%26x"
        );
        assert_eq!(
            render("${base}?to=${next}").unwrap(),
            "https://h.example/app?to=%2Fitems%3Fpage%3D2%26x"
        );
        assert_eq!(
            render("${host}${next}&id=${id}").unwrap(),
            format!("https://h.example/{next}&id=a%2Fb%20c")
        );
    }

    #[test]
    fn what_cannot_stand_there_is_refused_without_its_value() {
        for (template, part) in [
            ("https://${secret.key}/x", "`${secret.key}` has characters that no host may have"),
            ("https://${id}.example/", "`${id}` has characters that no host may have"),
            ("${host}${secret.key}", "`${secret.key}` has characters that no host may have"),
            ("${base}/${dots}/x", "`${dots}` is a `.` or `..`"),
            ("${base}/${nobody}", "nothing gave `${nobody}` a value"),
        ] {
            let fault = render(template).unwrap_err();
            assert!(fault.contains(part) && !fault.contains("s#e"), "{fault}");
        }
    }

    #[test]
    fn only_unreserved_characters_stay() {
        let kept: String = (0..=127_u8).filter(|b| is_unreserved(*b)).map(char::from).collect();
        assert_eq!(encode_component(&kept), kept);
        assert_eq!(encode_component("ü+~*'"), "%C3%BC%2B~%2A%27");
    }
}
