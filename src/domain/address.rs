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

use serde_json::Value;

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
    /// A value captured empty, where another address would be asked without it.
    #[error("`${{{name}}}` is {what}: the address made of `{source_text}` would be another")]
    Empty {
        /// The name.
        name: String,
        /// `empty` or `null`.
        what: &'static str,
        /// The template as it was written.
        source_text: String,
    },
    /// A captured value that would go on with the name of a host.
    #[error(
        "the captured `${{{name}}}` would go on with the host of `{source_text}`: it may be a whole host, or begin with `/`"
    )]
    LongerHost {
        /// The name.
        name: String,
        /// The template as it was written.
        source_text: String,
    },
    /// A step of a path that every client takes away.
    #[error(
        "the value of `${{{name}}}` makes a `.` or `..`, which cannot be a step of the path of `{source_text}`"
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
            Origin::Learnt(name) if matches!(lookup.get(name), Some(Value::Null)) => {
                return Err(Unfit::Empty("null").of(name, template));
            }
            Origin::Secret(name) | Origin::Learnt(name)
                if piece.text.is_empty() && address.place != Place::Query =>
            {
                return Err(Unfit::Empty("empty").of(name, template));
            }
            _ if address.text.is_empty() => address.push(&piece.text),
            Origin::Secret(name) | Origin::Learnt(name) => {
                let pushed = address.push_value(piece, &pieces[index + 1..]);
                pushed.map_err(|unfit| unfit.of(name, template))?;
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
    Empty(&'static str),
    Host,
    LongerHost,
    Dots,
}

impl Unfit {
    fn of(self, name: &str, template: &Template) -> AddressError {
        let (name, source_text) = (name.to_owned(), template.source().to_owned());
        match self {
            Self::Empty(what) => AddressError::Empty { name, what, source_text },
            Self::Host => AddressError::NoHost { name, source_text },
            Self::LongerHost => AddressError::LongerHost { name, source_text },
            Self::Dots => AddressError::Dots { name, source_text },
        }
    }
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
            Place::Authority | Place::Path
                if is_path && has_dots(text) && self.is_before_a_path() =>
            {
                return Err(Unfit::Dots);
            }
            Place::Authority if is_path => {
                self.push(text);
                return Ok(());
            }
            Place::Authority if text.chars().all(is_of_host) => {
                let is_learnt = matches!(piece.origin, Origin::Learnt(_));
                if is_learnt && !self.may_be_host(text, rest) {
                    return Err(Unfit::LongerHost);
                }
            }
            Place::Authority => return Err(Unfit::Host),
            Place::Path if is_path && !self.text.ends_with('/') => {
                self.push(text);
                return Ok(());
            }
            Place::Path if matches!(format!("{}{text}", self.step()).as_str(), "." | "..") => {
                return Err(Unfit::Dots);
            }
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

impl Address {
    /// Whether a path can begin here, so that a captured one is taken as it is.
    fn is_before_a_path(&self) -> bool {
        self.place == Place::Authority || !self.text.ends_with('/')
    }

    /// What stands already of the step of the path that is being written.
    fn step(&self) -> &str {
        self.text.rsplit(['/', '\\']).next().unwrap_or_default()
    }

    /// Whether a captured value may stand within a host: as the whole of it, as its port, or before
    /// more labels of it, which then say whose host it is.
    fn may_be_host(&self, text: &str, rest: &[Piece]) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let next = rest.first().map(|piece| (&piece.origin, piece.text.as_str()));
        let ends_here = next.is_none_or(|(_, text)| text.starts_with(['/', '\\', '?', '#', ':']));
        let has_more_labels = next.is_some_and(|(origin, text)| {
            *origin == Origin::Written && text.starts_with('.') && text.len() > 2
        });
        let is_whole = self.text.ends_with(['/', '@']) && ends_here;
        let is_port = match self.text.ends_with(':') {
            true => digits(text),
            false => text.strip_prefix(':').is_some_and(digits),
        };
        is_whole || (is_port && ends_here) || (has_more_labels && !text.contains(':'))
    }
}

/// Whether a path has `.` or `..` as a step, however it is spelt (WHATWG URL, section 4.1).
fn has_dots(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(|step| {
        let step = step.to_ascii_lowercase().replace("%2e", ".");
        matches!(step.as_str(), "." | "..")
    })
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

    struct Values;

    impl Lookup for Values {
        fn get(&self, name: &str) -> Option<Value> {
            if name == "null" {
                return Some(Value::Null);
            }
            Some(Value::from(match name {
                "empty" => "",
                "evil" => ".evil.invalid",
                "sub" => "tenant-1",
                "port" => "8080",
                "colon_port" => ":8080",
                "up" => "/../admin",
                "up_encoded" => "/x/%2E./admin",
                "in_query" => "/x?y=/../z",
                "dot" => ".",
                "learnt_host" => "other.example:81",
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
            let text = super::super::template::text_of(&self.get(name)?);
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
            ("${base}/${dots}/x", "`${dots}` makes a `.` or `..`"),
            ("${base}/${nobody}", "nothing gave `${nobody}` a value"),
        ] {
            let fault = render(template).unwrap_err();
            assert!(fault.contains(part) && !fault.contains("s#e"), "{fault}");
        }
    }

    #[test]
    fn a_value_without_content_makes_no_other_address() {
        for template in
            ["${base}/i/${empty}", "${empty}${next}", "https://${empty}/x", "${host}${empty}"]
        {
            let fault = render(template).unwrap_err();
            assert!(fault.starts_with("`${empty}` is empty: the address made of"), "{fault}");
        }
        for template in ["${base}/i/${null}", "${base}?q=${null}", "${null}"] {
            let fault = render(template).unwrap_err();
            assert!(fault.starts_with("`${null}` is null: the address made of"), "{fault}");
        }
        assert_eq!(render("${base}?q=${empty}").unwrap(), "https://h.example/app?q=");
    }

    #[test]
    fn a_captured_value_cannot_go_on_with_a_host() {
        for template in [
            "http://localhost${evil}",
            "http://localhost${sub}/x",
            "${host}${port}",
            "http://a${sub}${evil}",
            "http://h:1${port}x/",
            "http://h:${sub}/",
        ] {
            let fault = render(template).unwrap_err();
            assert!(fault.contains("would go on with the host"), "{template}: {fault}");
        }
        for (template, wanted) in [
            ("http://${learnt_host}/x", "http://other.example:81/x"),
            ("http://${sub}:${port}/x", "http://tenant-1:8080/x"),
            ("http://localhost${colon_port}/x", "http://localhost:8080/x"),
            ("http://${sub}.h.example/x", "http://tenant-1.h.example/x"),
            ("http://pr-${sub}.h.example", "http://pr-tenant-1.h.example"),
        ] {
            assert_eq!(render(template).as_deref(), Ok(wanted), "{template}");
        }
    }

    #[test]
    fn a_captured_path_has_no_dots_as_steps() {
        for template in
            ["${host}${up}", "${base}${up}", "${host}${up_encoded}", "${base}/.${dot}/x"]
        {
            let fault = render(template).unwrap_err();
            assert!(fault.contains("makes a `.` or `..`"), "{template}: {fault}");
        }
        assert_eq!(render("${host}${in_query}").unwrap(), "https://h.example/x?y=/../z");
        assert_eq!(render("${base}?to=${up}").unwrap(), "https://h.example/app?to=%2F..%2Fadmin");
    }

    #[test]
    fn only_unreserved_characters_stay() {
        let kept: String = (0..=127_u8).filter(|b| is_unreserved(*b)).map(char::from).collect();
        assert_eq!(encode_component(&kept), kept);
        assert_eq!(encode_component("ü+~*'"), "%C3%BC%2B~%2A%27");
    }
}
