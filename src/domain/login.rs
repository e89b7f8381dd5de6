//! Logins within addresses: `scheme://login@host`. Whatever shows an address shows it without what others
//! must not know.

use std::borrow::Cow;
use std::ops::Range;

use super::redact::MASK;

/// What ends the part of an address in which a login may stand.
const ENDS: &[char] = &['/', '?', '#', ' ', '\t', '\n', '"', '`', '<', '>'];

/// An address without the login in it, if it has one: whose it is does not change with that.
pub fn without_login(address: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = address.split_once("://") else { return address.into() };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]).into(),
        None => address.into(),
    }
}

/// A text in which [`MASK`] stands for the logins of addresses. The user of an `ssh` address is no secret, and
/// neither is a template.
pub fn masked_logins(text: &str) -> Cow<'_, str> {
    replaced(text, |_| MASK.to_owned())
}

/// The same with a `*` for each byte, so that places within the text stay what they are.
pub fn starred_logins(text: &str) -> Cow<'_, str> {
    replaced(text, |length| "*".repeat(length))
}

fn replaced(text: &str, by: impl Fn(usize) -> String) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut done = 0;
    for secret in secrets(text) {
        shown.push_str(&text[done..secret.start]);
        shown.push_str(&by(secret.len()));
        done = secret.end;
    }
    if done == 0 {
        return text.into();
    }
    shown.push_str(&text[done..]);
    shown.into()
}

fn secrets(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(colon, mark)| {
        let start = colon + mark.len();
        let authority = &text[start..];
        let authority = &authority[..authority.find(ENDS).unwrap_or(authority.len())];
        let login = &authority[..authority.rfind('@')?];
        let is_ssh = text[..colon].ends_with("ssh");
        let from = match is_ssh {
            true => login.find(':')? + 1,
            false => 0,
        };
        let is_secret = from < login.len() && !is_template(&login[from..]);
        is_secret.then(|| start + from..start + login.len())
    })
}

/// Whether nothing but templates and what stands between them is in it: those are filled in elsewhere.
fn is_template(login: &str) -> bool {
    login.split(':').all(|part| part.starts_with("${") && part.find('}') == Some(part.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_must_not_know_is_masked() {
        for (text, shown) in [
            ("https://git.example/x", "https://git.example/x"),
            ("https://me:hunter2@git.example/x", "https://***@git.example/x"),
            ("https://token@git.example", "https://***@git.example"),
            ("https://me:p@ss@git.example/@x", "https://***@git.example/@x"),
            ("ssh://git@git.example/x", "ssh://git@git.example/x"),
            ("ssh://git:pw@git.example/x", "ssh://git:***@git.example/x"),
            ("git@git.example:x", "git@git.example:x"),
            (
                "  repo: \"https://a:b@c\"  # see http://d@e",
                "  repo: \"https://***@c\"  # see http://***@e",
            ),
            ("https://${user}:${secret.x}@h", "https://${user}:${secret.x}@h"),
            ("https://me:hunter,2'|x@h", "https://***@h"),
            ("https://me:hunter2${x}@h", "https://***@h"),
            ("https://${user}:hunter2@h", "https://***@h"),
            ("https://${token}@h", "https://${token}@h"),
            ("https://h/?mail=a@b", "https://h/?mail=a@b"),
            ("://@", "://@"),
        ] {
            assert_eq!(masked_logins(text), shown, "{text}");
            assert_eq!(starred_logins(text).len(), text.len());
        }
        assert_eq!(starred_logins("x https://me:pw@h"), "x https://*****@h");
    }

    #[test]
    fn a_login_can_be_left_out() {
        assert_eq!(without_login("https://me:p@ss@h/@x"), "https://h/@x");
        assert_eq!(without_login("h/@x"), "h/@x");
    }
}
