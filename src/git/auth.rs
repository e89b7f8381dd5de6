//! With what a repository is opened. The secret part cannot be printed.

use std::path::PathBuf;

use crate::domain::redact::Secret;

use super::error::Error;
use super::url::{RepoUrl, Target};

/// The credentials for one repository.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// What this machine has: the ssh agent and configuration; for http(s) the credential helpers
    /// of an installed git, asked only after the host demanded a login.
    #[default]
    Ambient,
    /// None at all for http(s).
    None,
    /// A user name and a password or token, for http(s).
    Basic {
        /// The user name.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// A private key file, for ssh.
    SshKey(PathBuf),
}

impl Auth {
    /// Refuses credentials that this kind of address would silently ignore.
    pub(super) fn check_fits(&self, url: &RepoUrl) -> Result<(), Error> {
        let unfit = |reason| Err(Error::UnfitAuth { repository: url.to_string(), reason });
        match (self, &url.target) {
            (Self::Ambient | Self::None, _)
            | (Self::Basic { .. }, Target::Http(_))
            | (Self::SshKey(_), Target::Ssh(_)) => Ok(()),
            (Self::Basic { .. }, Target::Ssh(_)) => unfit("ssh takes a key, not a password"),
            (Self::SshKey(_), Target::Http(_)) => {
                unfit("http takes a user name and a password, not a key")
            }
            (Self::Basic { .. } | Self::SshKey(_), Target::Local(_)) => {
                unfit("a local path needs none")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::super::url::UrlSource;
    use super::*;

    fn basic() -> Auth {
        Auth::Basic { username: "ci".into(), password: Secret::new("hunter2-hunter2") }
    }

    #[test]
    fn a_password_is_never_printed() {
        let printed = format!("{:?}", basic());
        assert!(printed.contains("ci") && !printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn credentials_must_fit_the_address() {
        let key = || Auth::SshKey("/k".into());
        for (auth, url, fits) in [
            (basic(), "https://example.com/x", true),
            (basic(), "git@example.com:x", false),
            (basic(), "/srv/x", false),
            (key(), "git@example.com:x", true),
            (key(), "https://example.com/x", false),
            (key(), "/srv/x", false),
            (Auth::Ambient, "git@example.com:x", true),
            (Auth::None, "/srv/x", true),
        ] {
            let url = RepoUrl::parse(url, UrlSource::Operator { base: Path::new("/") }).unwrap();
            assert_eq!(auth.check_fits(&url).is_ok(), fits, "{auth:?} {url}");
        }
    }
}
