//! git over ssh as a transport of libgit2, by the system's `ssh`.
//!
//! So keys, agents, known hosts, jump hosts and hardware tokens work as the operator set them up.
//! It never asks anything, never accepts an unknown host key, and gets the host after `--`.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};

use super::auth::Auth;
use super::child::{TimedChild, program};
use super::error::{Absent, Error};
use super::session::{Program, Session, Wire};
use super::url::SshTarget;

/// The transport of one ssh fetch or push.
pub(super) struct SshTransport {
    session: Arc<Session>,
}

impl SshTransport {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    fn connect(&self, asked: Program) -> Result<SshStream, Error> {
        let Wire::Ssh(target) = &self.session.wire else {
            return Err(self.session.network("this is not an ssh address".to_owned()));
        };
        let mut command = program(&self.session.ssh);
        command.args(arguments(target, &self.session.auth, asked));
        let (child, stdin, stdout) = TimedChild::spawn(&mut command, self.session.deadline)
            .map_err(|error| self.session.network(format!("cannot start ssh: {error}")))?;
        Ok(SshStream {
            session: Arc::clone(&self.session),
            stdin,
            stdout,
            child,
            has_answered: false,
        })
    }
}

impl SmartSubtransport for SshTransport {
    fn action(
        &self,
        _url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        // The stream is reused by libgit2 for the second step.
        let stream =
            self.connect(Program::of(service)).map_err(|error| self.session.fail(error))?;
        Ok(Box::new(stream))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

struct SshStream {
    session: Arc<Session>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    child: TimedChild,
    has_answered: bool,
}

impl Read for SshStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.session.read(&mut self.stdout, buffer)?;
        if count == 0 && !self.has_answered {
            let error = explain(&self.session, &self.child.last_words());
            return Err(io::Error::other(self.session.fail(error)));
        }
        self.has_answered |= count > 0;
        Ok(count)
    }
}

impl Write for SshStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stdin.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdin.flush()
    }
}

/// ssh tells the reason of its failure only in words.
fn explain(session: &Session, words: &str) -> Error {
    let repository = session.repository.clone();
    let lower = words.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if says(&[
        "permission denied",
        "host key verification failed",
        "too many authentication failures",
        "no such identity",
    ]) {
        Error::Auth { repository, reason: words.to_owned() }
    } else if says(&[
        "does not appear to be a git repository",
        "repository not found",
        "does not exist",
    ]) {
        Error::NotFound { what: Absent::Repository, repository }
    } else if words.is_empty() {
        session.network("ssh ended without an answer".to_owned())
    } else {
        session.network(words.to_owned())
    }
}

fn arguments(target: &SshTarget, auth: &Auth, asked: Program) -> Vec<OsString> {
    let options = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ConnectTimeout=30",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        // A shared connection would outlive us and hold our pipes.
        "ControlMaster=no",
    ];
    let mut arguments: Vec<OsString> =
        options.iter().flat_map(|option| ["-o".into(), option.into()]).collect();
    arguments.push("-T".into());
    if let Auth::SshKey(path) = auth {
        arguments.extend(["-o".into(), "IdentitiesOnly=yes".into(), "-i".into(), path.into()]);
    }
    if let Some(port) = target.port {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(user) = &target.user {
        arguments.extend(["-l".into(), user.into()]);
    }
    arguments.extend(["--".into(), target.host.clone().into()]);
    arguments.push(format!("{} {}", asked.as_str(), quote(&target.path)).into());
    arguments
}

/// The path as one word for the remote login shell, as git itself quotes it. A leading `~` is
/// expanded by that program, not by that shell.
fn quote(path: &str) -> String {
    let escaped = path.replace('\'', r"'\''").replace('!', r"'\!'");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsStr;

    use super::*;

    fn target(path: &str) -> SshTarget {
        SshTarget {
            user: Some("git".into()),
            host: "git.example.com".into(),
            port: Some(2222),
            path: path.into(),
        }
    }

    #[test]
    fn ssh_never_asks_and_takes_nothing_from_the_address_as_an_option() {
        let arguments = arguments(
            &target("acme/chat.git"),
            &Auth::SshKey("/keys/ci".into()),
            Program::UploadPack,
        );
        let line = arguments.iter().map(|a| a.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        for part in [
            "-o BatchMode=yes",
            "-o StrictHostKeyChecking=yes",
            "-o IdentitiesOnly=yes -i /keys/ci",
            "-p 2222",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(
            line.ends_with("-l git -- git.example.com git-upload-pack 'acme/chat.git'"),
            "{line}"
        );
    }

    #[test]
    fn the_remote_shell_sees_one_word() {
        for path in [
            "/a b",
            "/a'b",
            "/a;touch pwn",
            "/$(touch pwn)",
            "/`touch pwn`",
            "/a!b",
            "/a\\b",
            "/'\"'\"'",
        ] {
            let output = program(OsStr::new("sh"))
                .args(["-c", &format!("printf %s {}", quote(path))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
        }
    }
}
