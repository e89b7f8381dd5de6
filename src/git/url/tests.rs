//! Which addresses are taken, and how they are shown.

#![allow(clippy::unwrap_used)]
use super::*;

fn operator(text: &str) -> Result<RepoUrl, Error> {
    RepoUrl::parse(text, UrlSource::Operator { base: Path::new("/etc/andon") })
}

fn refusal(text: &str) -> String {
    match operator(text) {
        Err(Error::RefusedUrl { reason, .. }) => reason.to_owned(),
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn usual_addresses_are_read() {
    for (text, display) in [
        ("https://git.example.com/acme/chat.git", "https://git.example.com/acme/chat.git"),
        ("HTTPS://Git.Example.com/acme/chat/", "https://git.example.com/acme/chat"),
        ("http://127.0.0.1:8080/x.git", "http://127.0.0.1:8080/x.git"),
        ("git@git.example.com:acme/chat.git", "git@git.example.com:acme/chat.git"),
        ("git.example.com:/srv/chat.git", "ssh://git.example.com/srv/chat.git"),
        (
            "ssh://git@git.example.com:2222/acme/a%20b.git",
            "ssh://git@git.example.com:2222/acme/a b.git",
        ),
        ("ssh://git.example.com/~ada/chat", "ssh://git.example.com/~ada/chat"),
        ("git@[::1]:chat.git", "git@[::1]:chat.git"),
        ("/srv/./git//chat.git", "/srv/git/chat.git"),
        ("../chat", "/etc/andon/../chat"),
        (".", "/etc/andon"),
        ("file:///srv/a%20b", "/srv/a b"),
    ] {
        assert_eq!(operator(text).unwrap().to_string(), display, "{text}");
    }
}

#[test]
fn what_a_program_could_read_as_an_option_or_a_command_is_refused() {
    for (text, part) in [
        ("-oProxyCommand=touch pwn", "option"),
        ("--upload-pack=touch pwn", "option"),
        ("ssh://-oProxyCommand=touch%20pwn/x", "host"),
        ("ssh://-oProxyCommand=x@host/x", "user name"),
        ("ssh://host/", "path"),
        ("ssh://%2doProxyCommand=x/x", "host"),
        ("ssh://%2dx@host/x", "user name"),
        ("-oProxyCommand=x@host:path", "option"),
        ("git@-oProxyCommand=x:path", "host"),
        ("git@host:-oProxyCommand=x", "option"),
        ("git@host:", "path"),
        ("git@ho st:x", "host"),
        ("git@host;id:x", "host"),
        ("https://-x.example.com/a", "-"),
        ("ssh://host/a%0ab", "control"),
        ("ssh://host/a%zz", "percent"),
        ("ext::sh -c touch% pwn", "helpers"),
        ("fd::17", "helpers"),
        ("ext://x", "only https"),
        ("ftp://example.com/x", "only https"),
        ("git://example.com/x", "encryption"),
        ("https://ci:secret@example.com/x", "watch.auth"),
        ("https://token@example.com/x", "watch.auth"),
        ("ssh://git:secret@example.com/x", "password"),
        ("https://example.com/x?y=z", "query"),
        ("/srv/a\nb", "control"),
        ("file://otherhost/srv/x", "this machine"),
        ("~/chat", "expanded"),
        ("", "empty"),
        ("  ", "empty"),
    ] {
        assert!(refusal(text).contains(part), "{text:?}: {}", refusal(text));
    }
    assert!(refusal(&format!("https://x/{}", "a".repeat(3000))).contains("2048"));
}

#[test]
fn files_are_for_the_operator_only() {
    for text in ["/etc", "file:///etc", ".", "../x"] {
        let error = RepoUrl::parse(text, UrlSource::Foreign).unwrap_err();
        assert!(error.to_string().contains("operator"), "{error}");
    }
    RepoUrl::parse("https://example.com/x", UrlSource::Foreign).unwrap();
}

#[test]
fn each_address_has_its_own_cache() {
    let texts = [
        "https://one.example.com/acme/chat.git",
        "https://two.example.com/acme/chat.git",
        "http://one.example.com/acme/chat.git",
        "ssh://one.example.com/acme/chat.git",
        "one.example.com:acme/chat.git",
        "git@one.example.com:acme/chat.git",
        "ssh://one.example.com:2222/acme/chat.git",
        "/acme/chat.git",
    ];
    let keys: std::collections::BTreeSet<_> =
        texts.iter().map(|text| operator(text).unwrap().cache_key()).collect();
    assert_eq!(keys.len(), texts.len());
    assert!(keys.iter().all(|key| key.len() == 24 && key.bytes().all(|b| b.is_ascii_hexdigit())));
    assert_eq!(
        operator("https://one.example.com/a/").unwrap().cache_key(),
        operator("https://ONE.example.com/a").unwrap().cache_key()
    );
}

#[test]
fn plain_text_is_told_apart() {
    for (text, plain) in [
        ("http://example.com/x", true),
        ("http://127.0.0.1/x", false),
        ("http://[::1]/x", false),
        ("https://example.com/x", false),
        ("/srv/x", false),
    ] {
        assert_eq!(operator(text).unwrap().is_plain_text(), plain, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_gives_ssh_an_option(text in "[-a-z@:/.\\[\\]%0-9 ;$~]{0,40}") {
        if let Ok(RepoUrl { target: Target::Ssh(ssh), .. }) = operator(&text) {
            proptest::prop_assert!(!ssh.host.starts_with('-'));
            proptest::prop_assert!(!ssh.user.unwrap_or_default().starts_with('-'));
            proptest::prop_assert!(!ssh.path.starts_with('-'));
        }
    }
}
