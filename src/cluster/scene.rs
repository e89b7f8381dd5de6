//! Where a failure happened, by the evidence of its attempt.

use super::route;
use crate::domain::evidence::{Evidence, Exchange, Protocol};
use crate::domain::failure::{Failure, FailureClass};

/// Where a failure happened, and what else the evidence says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scene {
    /// What the failing step talked to.
    pub(super) place: Option<Place>,
    /// Expected events that never came.
    pub(super) missing: Vec<String>,
}

/// What a step talked to, without what varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A route: the method, or `WS`, and the path with its ids masked.
    Route {
        /// The method, or `WS`.
        verb: String,
        /// The path.
        route: String,
    },
    /// A whole host, as nothing got as far as a route; `None` for a bare address.
    Host(Option<String>),
}

impl Scene {
    /// Looks the failing step up in the evidence.
    pub(super) fn of(failure: &Failure, evidence: &Evidence) -> Self {
        let Some(step) = failure.step.as_deref() else { return Self::default() };
        let rows = evidence.events.iter().filter(|row| row.step == step);
        let missing = rows.map(|row| &row.missing).find(|missing| !missing.is_empty());
        Self {
            place: exchange_of(evidence, step).map(|exchange| place_of(failure.class, exchange)),
            missing: missing.cloned().unwrap_or_default(),
        }
    }
}

/// The exchange of a step: the last that got no answer, or else the last.
fn exchange_of<'a>(evidence: &'a Evidence, step: &str) -> Option<&'a Exchange> {
    let of_step = || evidence.exchanges.iter().rev().filter(|exchange| exchange.step == step);
    of_step().find(|exchange| exchange.error.is_some()).or_else(|| of_step().next())
}

fn place_of(class: FailureClass, exchange: &Exchange) -> Place {
    let never_connected = exchange.remote.is_none() && exchange.error.is_some();
    if never_connected || matches!(class, FailureClass::Dns | FailureClass::Tls) {
        return Place::Host(route::host_of(&exchange.url));
    }
    let verb = match exchange.protocol {
        Protocol::Http | Protocol::Sse => exchange.method.to_ascii_uppercase(),
        Protocol::Ws => "WS".to_owned(),
    };
    Place::Route { verb, route: route::url_shape(&exchange.url) }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Route { verb, route } => write!(f, "{verb} {route}"),
            Self::Host(Some(host)) => f.write_str(host),
            Self::Host(None) => f.write_str("the address"),
        }
    }
}
