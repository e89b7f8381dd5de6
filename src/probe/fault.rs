//! Why no answer came, told apart as far as the network tells.

use std::error::Error;
use std::io;

use crate::domain::failure::{Blame, FailureClass};

/// What kind of fault ended an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The pipeline's `hosts` do not allow this host.
    NotAllowed,
    /// The request itself cannot be made: a bad address, an unreadable file.
    BadRequest,
    /// The name did not resolve.
    Dns,
    /// Nobody listens there.
    Refused,
    /// There is no way to get there.
    Unreachable,
    /// The other side reset the connection.
    Reset,
    /// The connection ended before the answer did.
    Cut,
    /// What came is not the protocol that was asked for.
    Protocol,
    /// The TLS handshake or the certificate.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The answer is larger than we read.
    TooLarge,
    /// A redirect that leads nowhere good.
    Redirect,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// One phrase that names host and reason.
    pub message: String,
}

impl Fault {
    /// A fault of a kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The class of the failure that it is.
    pub fn class(&self) -> FailureClass {
        match self.kind {
            FaultKind::NotAllowed | FaultKind::BadRequest => FailureClass::Setup,
            FaultKind::Dns => FailureClass::Dns,
            FaultKind::Refused
            | FaultKind::Unreachable
            | FaultKind::Reset
            | FaultKind::Cut
            | FaultKind::Protocol => FailureClass::Connection,
            FaultKind::Tls => FailureClass::Tls,
            FaultKind::Timeout => FailureClass::Timeout,
            FaultKind::TooLarge | FaultKind::Redirect => FailureClass::Assertion,
        }
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self.kind {
            FaultKind::NotAllowed | FaultKind::BadRequest => Blame::Measurement,
            FaultKind::Dns
            | FaultKind::Refused
            | FaultKind::Unreachable
            | FaultKind::Reset
            | FaultKind::Cut
            | FaultKind::Protocol
            | FaultKind::Tls
            | FaultKind::Timeout
            | FaultKind::TooLarge
            | FaultKind::Redirect => Blame::Service,
        }
    }

    /// What an I/O error of a connection means.
    pub(super) fn from_io(error: &io::Error, place: &str) -> Self {
        let (kind, words) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (FaultKind::Refused, "refused the connection"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                (FaultKind::Reset, "reset the connection")
            }
            io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
                (FaultKind::Cut, "cut the connection")
            }
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => (FaultKind::Unreachable, "cannot be reached"),
            io::ErrorKind::TimedOut => (FaultKind::Timeout, "did not answer in time"),
            _ => return Self::new(FaultKind::Cut, format!("{place}: {error}")),
        };
        Self::new(kind, format!("{place} {words}"))
    }

    /// What an error of the HTTP machinery means.
    pub(super) fn from_hyper(error: &hyper::Error, place: &str) -> Self {
        if let Some(io) = find_io(error) {
            return Self::from_io(io, place);
        }
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Self::new(FaultKind::Cut, format!("{place} cut the connection"));
        }
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(FaultKind::Protocol, format!("{place} does not speak HTTP as expected: {reason}"))
    }
}

fn find_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        next = error.source();
    }
    None
}
