//! With what a repository is opened. The secret part cannot be printed.

use std::path::PathBuf;

use crate::domain::redact::Secret;
use crate::domain::spec::RepoAuth;
use crate::domain::template::Template;

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

/// Where the texts in a pipeline's login come from.
#[derive(Clone, Copy)]
pub struct LoginSecrets<'a> {
    /// The pipeline's secrets by name.
    pub secrets: &'a [(String, Secret)],
    /// The variables of our own environment.
    pub host: &'a dyn Fn(&str) -> Option<String>,
}

impl LoginSecrets<'_> {
    /// A secret or a variable of our own environment may stand in the login of a repository.
    fn fill_in(&self, template: &Template) -> String {
        let lookup = |name: &str| {
            if let Some(name) = name.strip_prefix("env.") {
                return (self.host)(name).map(Into::into);
            }
            let name = name.strip_prefix("secret.")?;
            let (_, secret) = self.secrets.iter().find(|(known, _)| known == name)?;
            Some(secret.expose().into())
        };
        // A name without a value was refused when the pipeline was checked.
        template.render(&lookup).unwrap_or_default()
    }
}

impl Auth {
    /// What a pipeline says about logging in; when it says nothing, what this machine has.
    pub fn from_spec(spec: Option<&RepoAuth>, login: LoginSecrets<'_>) -> Self {
        match spec {
            None => Self::Ambient,
            Some(RepoAuth::SshKey(path)) => Self::SshKey(path.clone()),
            Some(RepoAuth::Basic { username, password }) => Self::Basic {
                username: login.fill_in(username),
                password: Secret::new(login.fill_in(password)),
            },
        }
    }

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
