//! Repository addresses: what is accepted, and how each kind is reached.
//!
//! An address ends up as an argument of `ssh`, as a path on a remote shell and as an HTTP target,
//! so everything that one of those could read as an option or a command is refused here, once.
//! This file must not touch the network or the file system.

use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::domain::login::masked_logins;
use crate::domain::spec::Pipeline;

use super::error::Error;
use super::text::clip;

/// The longest address that is read.
const MAX_LENGTH: usize = 2048;

/// Who wrote an address: it decides whether it may name files of this machine.
#[derive(Debug, Clone, Copy)]
pub enum UrlSource<'a> {
    /// The operator's configuration. Relative paths are relative to `base`.
    Operator {
        /// The folder of the file in which the address stands.
        base: &'a Path,
    },
    /// A webhook, an API call or a repository: only addresses of other machines.
    Foreign,
}

/// A checked repository address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RepoUrl {
    pub(super) target: Target,
    display: String,
}

/// How a repository is reached.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// A folder of this machine.
    Local(PathBuf),
    /// `http` or `https`, without user name, query and trailing slash.
    Http(Url),
    /// `ssh`.
    Ssh(SshTarget),
}

/// The parts of an ssh address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SshTarget {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Relative to the account's home unless it starts with `/`.
    pub(super) path: String,
}

impl RepoUrl {
    /// Reads `https://…`, `http://…`, `ssh://…`, `user@host:path`, and from the operator also a
    /// path or `file://…`.
    ///
    /// # Errors
    /// [`Error::RefusedUrl`] for every other scheme, for passwords inside the address, and for
    /// hosts, users and paths that a program could read as an option.
    pub fn parse(text: &str, source: UrlSource<'_>) -> Result<Self, Error> {
        let shown = masked_logins(text);
        let refuse =
            |reason: &'static str| Error::RefusedUrl { address: clip(&shown, 200), reason };
        check_text(text).map_err(refuse)?;
        let target = match split_scheme(text) {
            Some((scheme, _)) => match scheme.to_ascii_lowercase().as_str() {
                "http" | "https" => parse_http(text),
                "ssh" | "git+ssh" | "ssh+git" => parse_ssh(text),
                "file" => parse_file(text, source),
                "git" => Err("the git protocol has no encryption and no login; use https or ssh"),
                _ => Err("only https, http, ssh, file and paths are understood"),
            },
            None if is_transport_helper(text) => {
                Err("remote helpers run commands and are never used")
            }
            None => match split_scp(text) {
                Some((login, path)) => parse_scp(login, path),
                None => parse_path(text, source),
            },
        }
        .map_err(refuse)?;
        Ok(Self { display: target.to_string(), target })
    }

    /// The repository of a pipeline. One that watches none stands in the repository it is about.
    ///
    /// # Errors
    /// As [`RepoUrl::parse`].
    pub fn of_pipeline(pipeline: &Pipeline) -> Result<Self, Error> {
        let base = pipeline.file.parent().unwrap_or(Path::new("."));
        let address = pipeline.watch.as_ref().map_or(".", |watch| &watch.repo);
        Self::parse(address, UrlSource::Operator { base })
    }

    /// The repository in a folder of this machine.
    pub(super) fn of_folder(path: &Path) -> Self {
        let target = Target::Local(path.components().collect());
        Self { display: target.to_string(), target }
    }

    /// The name of this repository's folder in a cache: a digest, so no part of a name that
    /// somebody chose becomes a path, and two hosts never share a folder.
    pub fn cache_key(&self) -> String {
        let kind = match self.target {
            Target::Local(_) => "local",
            Target::Http(_) => "http",
            Target::Ssh(_) => "ssh",
        };
        let mut hasher = Sha256::new();
        hasher.update(kind);
        hasher.update([0]);
        hasher.update(self.display.as_bytes());
        hex::encode(&hasher.finalize()[..12])
    }

    /// Whether the repository is a folder of this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.target, Target::Local(_))
    }

    /// Whether a password sent to this address could be read on the way: plain http to a host
    /// that is not this machine.
    pub fn is_plain_text(&self) -> bool {
        let Target::Http(url) = &self.target else { return false };
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.scheme() == "http" && !loopback
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoUrl({})", self.display)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Http(url) => write!(f, "{url}"),
            Self::Ssh(ssh) => {
                let user = ssh.user.as_deref().map(|user| format!("{user}@")).unwrap_or_default();
                let host = if ssh.host.contains(':') {
                    format!("[{}]", ssh.host)
                } else {
                    ssh.host.clone()
                };
                let port = ssh.port.map(|port| format!(":{port}")).unwrap_or_default();
                match ssh.path.as_bytes().first() {
                    Some(b'/') => write!(f, "ssh://{user}{host}{port}{}", ssh.path),
                    Some(b'~') => write!(f, "ssh://{user}{host}{port}/{}", ssh.path),
                    _ => write!(f, "{user}{host}:{}", ssh.path),
                }
            }
        }
    }
}

fn check_text(text: &str) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_LENGTH {
        return Err("it is longer than 2048 bytes");
    }
    if text.chars().any(char::is_control) {
        return Err("it contains a control character");
    }
    if text.starts_with('-') {
        return Err("it starts with '-', which programs read as an option");
    }
    Ok(())
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    (!scheme.is_empty() && scheme.bytes().all(word)).then_some((scheme, rest))
}

/// git's `HELPER::ADDRESS`, for example `ext::sh -c …`.
fn is_transport_helper(text: &str) -> bool {
    text.split_once("::").is_some_and(|(helper, _)| {
        !helper.is_empty()
            && helper.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

/// `user@host:path` or `host:path`: git's rule is a colon before the first slash.
fn split_scp(text: &str) -> Option<(&str, &str)> {
    let colon = match text.find("]:") {
        Some(bracket) if text.contains('[') => bracket + 1,
        _ => text.find(':')?,
    };
    let (login, path) = (&text[..colon], &text[colon + 1..]);
    (!login.contains('/')).then_some((login, path))
}

fn parse_http(text: &str) -> Result<Target, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "it is not a valid URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains a user name or password; put them into watch.auth");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it contains a query or a fragment");
    }
    if url.host_str().is_none_or(|host| host.is_empty() || host.starts_with('-')) {
        return Err("its host is missing or starts with '-'");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(Target::Http(url))
}

fn parse_ssh(text: &str) -> Result<Target, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not a valid URL")?;
    if url.password().is_some() {
        return Err("it contains a password; ssh uses a key or the agent");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it contains a query or a fragment");
    }
    let user = (!url.username().is_empty()).then(|| percent_decode(url.username())).transpose()?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let path = percent_decode(url.path())?;
    // As git does it: `/~ada/x` is ada's home on that host.
    let path = if path.starts_with("/~") { path[1..].to_owned() } else { path };
    check_ssh(SshTarget { user, host, port: url.port(), path })
}

fn parse_scp(login: &str, path: &str) -> Result<Target, &'static str> {
    let (user, host) = match login.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, login),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    check_ssh(SshTarget { user, host, port: None, path: path.to_owned() })
}

fn check_ssh(mut target: SshTarget) -> Result<Target, &'static str> {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let host = &target.host;
    if host.is_empty() || host.starts_with('-') || !host.bytes().all(|b| word(b) || b == b':') {
        return Err("its host is missing, starts with '-' or is not a host name");
    }
    if let Some(user) = &target.user
        && (user.is_empty() || user.starts_with('-') || !user.bytes().all(|b| word(b) || b == b'+'))
    {
        return Err(
            "its user name is empty, starts with '-' or has characters that user names do not have",
        );
    }
    let trimmed = target.path.trim_end_matches('/');
    if trimmed.is_empty() {
        return Err("it names no path on the host");
    }
    if trimmed.starts_with('-') {
        return Err("its path starts with '-', which programs read as an option");
    }
    if trimmed.chars().any(char::is_control) {
        return Err("it contains a control character");
    }
    target.path = trimmed.to_owned();
    Ok(Target::Ssh(target))
}

fn parse_file(text: &str, source: UrlSource<'_>) -> Result<Target, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not a valid URL")?;
    let path =
        url.to_file_path().map_err(|()| "a file address must name a path of this machine")?;
    local(path, source)
}

fn parse_path(text: &str, source: UrlSource<'_>) -> Result<Target, &'static str> {
    if text.starts_with('~') {
        return Err("'~' is not expanded here; write the whole path");
    }
    local(PathBuf::from(text), source)
}

fn local(path: PathBuf, source: UrlSource<'_>) -> Result<Target, &'static str> {
    let UrlSource::Operator { base } = source else {
        return Err("files of this machine may only be named in the operator's own configuration");
    };
    if path.to_str().is_none_or(|path| path.chars().any(char::is_control)) {
        return Err("it contains a control character or is not UTF-8");
    }
    // Components drop `.` and doubled slashes, so one folder has one cache key.
    Ok(Target::Local(base.join(path).components().collect()))
}

fn percent_decode(text: &str) -> Result<String, &'static str> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err("it contains a broken percent escape");
        };
        out.push(u8::try_from(high * 16 + low).expect("two hex digits are below 256"));
    }
    String::from_utf8(out).map_err(|_| "it contains a percent escape that is not UTF-8")
}

#[cfg(test)]
mod tests;
