//! Reads what a git server says first: its references (protocol version 0).
//!
//! libgit2 reads the same bytes, but its binding panics on names that are not UTF-8, and a
//! repository may contain such. Pure: bytes in, references out.

use std::collections::BTreeMap;

use git2::Oid;

use super::text::clip_bytes;

/// The most references that are taken from one repository.
pub(super) const MAX_REFS: usize = 500_000;

/// What a remote has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RemoteRefs {
    /// Branches and tags by full name.
    pub(super) refs: BTreeMap<String, Oid>,
    /// The commit that `HEAD` stands for.
    pub(super) head: Option<Oid>,
    /// The branch that `HEAD` names, as full reference name, where the remote tells.
    pub(super) head_target: Option<String>,
    /// Names that cannot be kept, cleaned for display.
    pub(super) skipped: Vec<String>,
}

impl RemoteRefs {
    /// Takes a branch or tag; other names are none of our business.
    pub(super) fn insert(&mut self, name: &[u8], oid: Oid) {
        if !name.starts_with(b"refs/heads/") && !name.starts_with(b"refs/tags/") {
            return;
        }
        match std::str::from_utf8(name) {
            Ok(name) if git2::Reference::is_valid_name(name) => {
                self.refs.insert(name.to_owned(), oid);
            }
            _ => self.skip(name),
        }
    }

    /// Remembers that a name was left out.
    pub(super) fn skip(&mut self, name: &[u8]) {
        if self.skipped.len() < 100 {
            self.skipped.push(clip_bytes(name, 200));
        }
    }
}

/// A list of references that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAdvertisement {
    #[error("the list of references is malformed")]
    Malformed,
    #[error("the server says: {0}")]
    Server(String),
    #[error("more than {MAX_REFS} references")]
    TooMany,
}

/// Reads the list of references from the beginning of a conversation.
pub(super) fn parse_advertisement(bytes: &[u8]) -> Result<RemoteRefs, BadAdvertisement> {
    let mut found = RemoteRefs::default();
    let mut rest = bytes;
    let mut service = false;
    loop {
        match next_line(&mut rest)? {
            // Over HTTP, the name of the service and an end mark come first.
            None if service => service = false,
            None => return Ok(found),
            Some(line) if line.starts_with(b"# service=") => service = true,
            Some(line) if line.starts_with(b"ERR ") => {
                return Err(BadAdvertisement::Server(clip_bytes(&line[4..], 300)));
            }
            Some(line) if line.starts_with(b"shallow ") || line.starts_with(b"version ") => {}
            Some(line) => read_reference(line, &mut found)?,
        }
        if found.refs.len() > MAX_REFS {
            return Err(BadAdvertisement::TooMany);
        }
    }
}

fn read_reference(line: &[u8], found: &mut RemoteRefs) -> Result<(), BadAdvertisement> {
    let mut parts = line.splitn(2, |b| *b == 0);
    let reference = parts.next().unwrap_or_default();
    if let Some(capabilities) = parts.next() {
        found.head_target = symref_of_head(capabilities);
    }
    let (oid, name) = reference.split_at_checked(41).ok_or(BadAdvertisement::Malformed)?;
    let hex = oid.strip_suffix(b" ").and_then(|hex| std::str::from_utf8(hex).ok());
    let oid = hex.and_then(|hex| Oid::from_str(hex).ok()).ok_or(BadAdvertisement::Malformed)?;
    match name {
        b"HEAD" => found.head = Some(oid),
        // An empty repository, and what an annotated tag points to.
        b"capabilities^{}" => {}
        _ if name.ends_with(b"^{}") => {}
        _ => found.insert(name, oid),
    }
    Ok(())
}

fn symref_of_head(capabilities: &[u8]) -> Option<String> {
    let target =
        capabilities.split(|b| *b == b' ').find_map(|word| word.strip_prefix(b"symref=HEAD:"))?;
    std::str::from_utf8(target)
        .ok()
        .filter(|name| git2::Reference::is_valid_name(name))
        .map(str::to_owned)
}

/// The next line of a packet stream without its line end; `None` is an end mark.
fn next_line<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BadAdvertisement> {
    let (length, tail) = rest.split_at_checked(4).ok_or(BadAdvertisement::Malformed)?;
    let length =
        std::str::from_utf8(length).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
    match length {
        Some(0) => {
            *rest = tail;
            Ok(None)
        }
        Some(length @ 4..) => {
            let (line, tail) =
                tail.split_at_checked(length - 4).ok_or(BadAdvertisement::Malformed)?;
            *rest = tail;
            Ok(Some(line.strip_suffix(b"\n").unwrap_or(line)))
        }
        _ => Err(BadAdvertisement::Malformed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn line(text: &[u8]) -> Vec<u8> {
        [format!("{:04x}", text.len() + 4).as_bytes(), text].concat()
    }

    fn parse(lines: &[&[u8]]) -> Result<RemoteRefs, BadAdvertisement> {
        let mut bytes: Vec<u8> = lines.iter().flat_map(|text| line(text)).collect();
        bytes.extend(b"0000");
        parse_advertisement(&bytes)
    }

    #[test]
    fn branches_tags_and_head_are_read() {
        let head = format!("{A} HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2");
        let lines = [
            head,
            format!("{A} refs/heads/main\n"),
            format!("{B} refs/heads/-x"),
            format!("{B} refs/pull/1/head"),
            format!("{B} refs/tags/v1"),
            format!("{A} refs/tags/v1^{{}}"),
            format!("shallow {A}"),
        ];
        let found = parse(&lines.iter().map(String::as_bytes).collect::<Vec<_>>()).unwrap();
        assert_eq!(
            found.refs.keys().collect::<Vec<_>>(),
            ["refs/heads/-x", "refs/heads/main", "refs/tags/v1"]
        );
        assert_eq!(found.refs["refs/tags/v1"].to_string(), B);
        assert_eq!(found.head.unwrap().to_string(), A);
        assert_eq!(found.head_target.as_deref(), Some("refs/heads/main"));
    }

    #[test]
    fn over_http_the_service_comes_first() {
        let mut bytes = line(b"# service=git-upload-pack\n");
        bytes.extend(b"0000");
        bytes.extend(line(format!("{A} refs/heads/main\0caps").as_bytes()));
        bytes.extend(b"0000garbage that belongs to the next step");
        assert_eq!(parse_advertisement(&bytes).unwrap().refs.len(), 1);
    }

    #[test]
    fn an_empty_repository_has_nothing() {
        let zero = "0".repeat(40);
        let found = parse(&[
            format!("{zero} capabilities^{{}}\0caps symref=HEAD:refs/heads/main").as_bytes()
        ])
        .unwrap();
        assert!(found.refs.is_empty() && found.head.is_none());
        assert_eq!(parse_advertisement(b"0000").unwrap(), RemoteRefs::default());
    }

    #[test]
    fn impossible_names_are_left_out_and_said() {
        let bad = [format!("{A} refs/heads/").as_bytes(), b"\xff\xfe"].concat();
        let dots = format!("{A} refs/heads/../../escape");
        let found = parse(&[&bad, dots.as_bytes()]).unwrap();
        assert!(found.refs.is_empty());
        assert_eq!(found.skipped, ["refs/heads/\u{fffd}\u{fffd}", "refs/heads/../../escape"]);
    }

    #[test]
    fn the_servers_own_words_are_passed_on() {
        let error = parse(&[b"ERR access denied\x1b[31m"]).unwrap_err();
        assert_eq!(error, BadAdvertisement::Server("access denied [31m".into()));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse_advertisement(&bytes);
            let _ = parse(&[&bytes]);
        }
    }
}
