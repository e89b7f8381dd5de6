//! Whom our own clients trust: the TLS with which git, news and the commands that talk to a daemon go out.
//!
//! Probes choose for themselves, because what they see is evidence. Nothing here opens a connection.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// The machine's trusted roots. Reading them takes some milliseconds.
///
/// # Errors
/// When there is none; what to do about it is part of the text.
pub fn machine_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    match roots.add_parsable_certificates(found.certs) {
        (0, _) => Err("this machine has no trusted root certificates (install ca-certificates or set SSL_CERT_FILE)".to_owned()),
        _ => Ok(roots),
    }
}

/// A client that trusts these roots and shows no certificate of its own.
///
/// # Errors
/// A text, when the cryptography that is built in cannot do what TLS needs.
pub fn client_config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|fault| fault.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
