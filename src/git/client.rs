//! The HTTP clients for git: one without TLS, one with the machine's trusted roots, each made when
//! first needed. Neither follows redirects; [`super::http`] decides about each one.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use rustls::RootCertStore;

use crate::trust::{client_config, machine_roots};

/// The time for name lookup, TCP and TLS, within the deadline of the whole fetch.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The client for a scheme.
///
/// # Errors
/// A text that says why none can be made.
pub(super) fn client_for(scheme: &str) -> Result<Client, String> {
    static PLAIN: OnceLock<Result<Client, String>> = OnceLock::new();
    static TLS: OnceLock<Result<Client, String>> = OnceLock::new();
    match scheme {
        // Loading the roots takes longer than a whole local fetch, so plain http does without.
        "http" => PLAIN.get_or_init(|| build(RootCertStore::empty())).clone(),
        _ => TLS.get_or_init(|| machine_roots().and_then(build)).clone(),
    }
}

fn build(roots: RootCertStore) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(client_config(roots)?)
        .redirect(Policy::none())
        .referer(false)
        .timeout(None)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("git/andon-", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}
