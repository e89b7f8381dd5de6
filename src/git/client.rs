//! The HTTP clients for git: one without TLS, one with the machine's trusted roots, each made when
//! first needed. Neither follows redirects; [`super::http`] decides about each one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};

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
        _ => TLS.get_or_init(|| native_roots().and_then(build)).clone(),
    }
}

fn native_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err("this machine has no trusted root certificates (install ca-certificates or set SSL_CERT_FILE)".into());
    }
    Ok(roots)
}

fn build(roots: RootCertStore) -> Result<Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .referer(false)
        .timeout(None)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("git/andon-", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}
