//! Which repository a webhook is about: the addresses in its payload. Pure; everything else in a
//! payload is passed over.

use std::io::{self, Read};

use serde::Deserialize;
use serde_json::Value;

use super::address::Address;

/// No forge nests deeper.
const MAX_DEPTH: usize = 64;
/// A repository has a few addresses, not many.
const MAX_ADDRESSES: usize = 32;

/// The keys under which forges name the addresses of a repository.
const KEYS: &[&str] = &[
    "clone_url",
    "ssh_url",
    "html_url",
    "git_url",
    "git_http_url",
    "git_ssh_url",
    "http_url",
    "web_url",
    "homepage",
    "url",
];

/// What is taken from a webhook.
#[derive(Debug, Default)]
pub struct Payload {
    addresses: Vec<Address>,
}

/// A payload that is none.
#[derive(Debug, thiserror::Error)]
#[error("the body is not the JSON of a webhook")]
pub struct PayloadError(#[source] serde_json::Error);

/// As the forges send it: `repository`, at GitLab `project`, as an object or an address.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    repository: Value,
    #[serde(default)]
    project: Value,
}

impl Payload {
    /// Reads a payload as it comes.
    ///
    /// # Errors
    /// When it is no JSON object, or nested deeper than any webhook.
    pub fn read(body: impl Read) -> Result<Self, PayloadError> {
        let body = Shallow { body, letter: Vec::new(), depth: 0, inside: Inside::Nothing };
        let wire: Wire = serde_json::from_reader(io::BufReader::new(body)).map_err(PayloadError)?;
        let mut addresses = Vec::new();
        for repository in [&wire.repository, &wire.project] {
            collect(repository, &mut addresses);
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(Self { addresses })
    }

    /// Whether it is about the repository at that address.
    pub fn is_about(&self, watched: &Address) -> bool {
        self.addresses.iter().any(|address| address.is_same(watched))
    }
}

fn collect(repository: &Value, addresses: &mut Vec<Address>) {
    if let Value::String(text) = repository {
        addresses.push(Address::parse(text));
    }
    let Value::Object(fields) = repository else { return };
    let named = KEYS.iter().filter_map(|key| fields.get(*key)?.as_str());
    addresses.extend(named.map(Address::parse));
    // Bitbucket: `links.html.href`, `links.clone[].href`.
    for link in fields.get("links").and_then(Value::as_object).into_iter().flat_map(|l| l.values())
    {
        let several = link.as_array().map_or(std::slice::from_ref(link), Vec::as_slice);
        let targets = several.iter().filter_map(|link| link.get("href")?.as_str());
        addresses.extend(targets.map(Address::parse));
    }
}

/// Refuses what is no object, no UTF-8, or nested too deep, before a parser sees it. (A parser
/// does not look into what it passes over.)
struct Shallow<R> {
    body: R,
    /// The beginning of a letter whose end has not come.
    letter: Vec<u8>,
    depth: usize,
    inside: Inside,
}

/// Where in a JSON text the next byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Before the first byte that counts.
    Nothing,
    Structure,
    Text,
    /// In a text, right behind a backslash.
    Escape,
}

impl<R> Shallow<R> {
    fn take(&mut self, byte: u8) -> io::Result<()> {
        self.inside = match (self.inside, byte) {
            (Inside::Nothing, b' ' | b'\t' | b'\r' | b'\n') => Inside::Nothing,
            (Inside::Nothing, b'{') => Inside::Structure,
            (Inside::Nothing, _) => return Err(io::Error::other("it is no object")),
            (Inside::Structure, b'"') => Inside::Text,
            (Inside::Text, b'"') => Inside::Structure,
            (Inside::Text, b'\\') => Inside::Escape,
            (Inside::Escape, _) => Inside::Text,
            (inside, _) => inside,
        };
        match (self.inside, byte) {
            (Inside::Structure, b'{' | b'[') => self.depth += 1,
            (Inside::Structure, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if self.depth > MAX_DEPTH {
            return Err(io::Error::other("it is nested too deep"));
        }
        Ok(())
    }

    fn read_letters(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.letter.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.letter) {
            Ok(text) => text.len(),
            Err(fault) if fault.error_len().is_none() => fault.valid_up_to(),
            Err(_) => return Err(io::Error::other("it is no UTF-8")),
        };
        self.letter.drain(..whole);
        Ok(())
    }
}

impl<R: Read> Read for Shallow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(buffer)?;
        self.read_letters(&buffer[..count])?;
        buffer[..count].iter().try_for_each(|byte| self.take(*byte))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn is_about(body: &str, repo: &str) -> bool {
        Payload::read(body.as_bytes()).unwrap().is_about(&Address::parse(repo))
    }

    #[test]
    fn what_is_no_payload_is_told() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let bad = [
            "",
            "{",
            "payload=%7B%7D",
            "\"text\"",
            "[]",
            "1",
            "{\"repository\":1,\"repository\":2}",
            "{} {}",
            "{\"a\":\"\\ud800\"",
            "\u{feff}{}",
            deep.as_str(),
        ];
        for body in bad {
            assert!(Payload::read(body.as_bytes()).is_err(), "{:.40}", body);
        }
        for bytes in
            [&b"{\"repository\":\"\xff\"}"[..], b"{\"x\":\"\xff\"}", b"{\"x\":\"\xe2\x82\"}"]
        {
            assert!(Payload::read(bytes).is_err(), "{bytes:?}");
        }
        // A letter may come in pieces.
        let euro = "{\"x\":\"\u{20ac}\"}".as_bytes();
        let (first, second) = euro.split_at(7);
        Payload::read(first.chain(second)).unwrap();
    }

    #[test]
    fn brackets_in_texts_are_no_depth() {
        let text = "[{\\\"".repeat(1_000);
        let body = format!("{{\"x\":\"{text}\",\"repository\":{{\"url\":\"https://h/a/b\"}}}}");
        assert!(is_about(&body, "https://h/a/b"));
        let side_by_side =
            format!("{{\"x\":[{}{{}}],\"repository\":\"https://h/a/b\"}}", "{},".repeat(9_000));
        assert!(is_about(&side_by_side, "https://h/a/b"));
    }

    #[test]
    fn addresses_count_where_forges_put_them_and_nowhere_else() {
        let repo = "https://git.example.com/acme/chat.git";
        for body in [
            r#"{"repository":{"clone_url":"https://git.example.com/acme/chat.git"}}"#,
            r#"{"repository":{"ssh_url":"git@git.example.com:acme/chat.git"}}"#,
            r#"{"project":{"git_ssh_url":"ssh://git@git.example.com:2222/acme/chat.git"}}"#,
            r#"{"repository":{"links":{"html":{"href":"https://git.example.com/acme/chat"}}}}"#,
            r#"{"repository":{"links":{"clone":[{"href":"https://git.example.com/acme/chat.git","name":"http"}]}}}"#,
            r#"{"repository":"https://git.example.com/acme/chat"}"#,
        ] {
            assert!(is_about(body, repo), "{body}");
        }
        for body in [
            "{}",
            " \r\n{ }",
            r#"{"repository":null}"#,
            r#"{"repository":{"clone_url":7,"links":[1]}}"#,
            r#"{"repository":{"clone_url":"https://git.example.com/acme/other.git"}}"#,
            r#"{"repository":{"owner":{"html_url":"https://git.example.com/acme/chat"}}}"#,
            r#"{"sender":{"url":"https://git.example.com/acme/chat.git"}}"#,
        ] {
            assert!(!is_about(body, repo), "{body}");
        }
    }
}
