//! Asks an installed git for stored credentials, as git itself would.
//!
//! Only for [`super::Auth::Ambient`], and only after the host demanded a login. The helpers are the
//! operator's own: git runs outside of any repository, so no repository can name one.

use std::ffi::OsStr;
use std::io::{Read, Write};

use url::Url;

use crate::domain::redact::Secret;

use super::child::{TimedChild, program};
use super::deadline::Deadline;

/// The answer of a helper is some lines.
const ANSWER_CAP: u64 = 64 * 1024;

/// The user name and password for `url`, or nothing when no helper knows one.
pub(super) fn stored_credentials(
    git: &OsStr,
    url: &Url,
    deadline: Deadline,
) -> Option<(String, Secret)> {
    let mut command = program(git);
    command
        .args(["-c", "core.askPass=", "credential", "fill"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CEILING_DIRECTORIES", "/");
    let (_child, mut stdin, stdout) = TimedChild::spawn(&mut command, deadline).ok()?;
    stdin.write_all(question(url).as_bytes()).ok()?;
    drop(stdin);
    let mut answer = String::new();
    stdout.take(ANSWER_CAP).read_to_string(&mut answer).ok()?;
    parse_answer(&answer)
}

/// The address was checked to contain no control characters, so it cannot add lines.
fn question(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_start_matches('/');
    format!(
        "protocol={}\nhost={}{port}\npath={path}\n\n",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

fn parse_answer(answer: &str) -> Option<(String, Secret)> {
    let value = |key: &str| {
        answer
            .lines()
            .find_map(|line| line.split_once('=').filter(|(found, _)| *found == key))
            .map(|(_, value)| value)
    };
    Some((value("username")?.to_owned(), Secret::new(value("password")?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// The script is written by another process: a file that this one has open for writing while
    /// another test forks could not be executed ("text file busy").
    fn fake_git(script: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("git");
        let written = program(OsStr::new("sh"))
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(&path)
            .arg(script)
            .status()
            .unwrap();
        assert!(written.success());
        (dir, path)
    }

    #[test]
    fn a_helper_is_asked_for_exactly_this_address() {
        let (dir, git) = fake_git(
            r#"cat > "$(dirname "$0")/asked"; echo username=ci; echo password=a=b; test "$GIT_TERMINAL_PROMPT" = 0"#,
        );
        let url = Url::parse("https://git.example.com:8443/acme/chat.git").unwrap();
        let deadline = Deadline::after(Duration::from_secs(60));
        let (user, password) = stored_credentials(git.as_os_str(), &url, deadline).unwrap();
        assert_eq!((user.as_str(), password.expose()), ("ci", "a=b"));
        assert_eq!(
            fs::read_to_string(dir.path().join("asked")).unwrap(),
            "protocol=https\nhost=git.example.com:8443\npath=acme/chat.git\n\n"
        );
    }

    #[test]
    fn no_answer_is_no_credential() {
        let url = Url::parse("https://git.example.com/x").unwrap();
        let deadline = Deadline::after(Duration::from_millis(300));
        for script in ["exit 128", "echo username=ci", "sleep 600"] {
            let (_dir, git) = fake_git(script);
            assert!(stored_credentials(git.as_os_str(), &url, deadline).is_none(), "{script}");
        }
        assert!(stored_credentials(OsStr::new("/nonexistent/git"), &url, deadline).is_none());
    }
}
