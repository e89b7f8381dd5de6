//! TLS: what is trusted, and what a handshake showed.
//!
//! The system's roots are read only when the first TLS connection is made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::fault::{Fault, FaultKind};
use crate::domain::evidence::TlsSeen;
use crate::domain::spec::TlsOptions;

/// The one crypto provider of this program.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    Arc::clone(PROVIDER.get_or_init(provider))
}

/// Configurations by what they trust, made when first used.
#[derive(Debug, Default)]
pub(super) struct TlsConfigs {
    made: Mutex<HashMap<(TlsOptions, bool), Arc<ClientConfig>>>,
}

impl TlsConfigs {
    /// The configuration for these options; with `http2` it offers `h2` alone.
    pub(super) async fn get(
        &self,
        options: &TlsOptions,
        http2: bool,
    ) -> Result<Arc<ClientConfig>, Fault> {
        let key = (options.clone(), http2);
        if let Some(config) = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(config));
        }
        // Reading some 150 root certificates takes about 13 ms: not on an async thread.
        let wanted = options.clone();
        let config = tokio::task::spawn_blocking(move || make_config(&wanted, http2))
            .await
            .map_err(|fault| Fault::new(FaultKind::BadRequest, fault.to_string()))??;
        let config = Arc::new(config);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(made.entry(key).or_insert(config)))
    }
}

fn make_config(options: &TlsOptions, http2: bool) -> Result<ClientConfig, Fault> {
    let bad = |message: String| Fault::new(FaultKind::BadRequest, message);
    let provider = crypto_provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|fault| bad(fault.to_string()))?;
    let mut config = if options.insecure {
        let verifier = Arc::new(AnyCertificate(provider));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    } else {
        builder.with_root_certificates(roots(options)?).with_no_client_auth()
    };
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok(config)
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // A root that cannot be read is no reason to trust none.
        let _unreadable = store.add(certificate);
    }
    let Some(path) = &options.ca else { return Ok(store) };
    let bad = |fault: String| {
        let message = format!("CA file {} cannot be used: {fault}", path.display());
        Fault::new(FaultKind::BadRequest, message)
    };
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|fault| bad(fault.to_string()))?;
    let mut added = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|fault| bad(fault.to_string()))?;
        store.add(certificate).map_err(|fault| bad(fault.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(bad("it holds no certificate".to_owned()));
    }
    Ok(store)
}

/// Takes any certificate (`insecure: true`), but still wants the handshake signed by its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What a finished handshake showed.
pub(super) fn seen(
    connection: &rustls::ClientConnection,
    server_name: &str,
    options: &TlsOptions,
    now: Timestamp,
) -> Option<Box<TlsSeen>> {
    let leaf = connection.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let left = certificate.validity().not_after.timestamp() - now.as_second();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        other => format!("{other:?}"),
    };
    Some(Box::new(TlsSeen {
        version,
        server_name: server_name.to_owned(),
        subject: subject_of(&certificate),
        issuer: certificate.issuer().to_string(),
        days_left: left.div_euclid(86_400),
        seconds_left: left,
        verified: !options.insecure,
    }))
}

fn subject_of(certificate: &X509Certificate<'_>) -> String {
    let subject = certificate.subject().to_string();
    if !subject.is_empty() {
        return subject;
    }
    let names = certificate.subject_alternative_name().ok().flatten();
    let first = names.and_then(|names| {
        names.value.general_names.iter().find_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
    });
    first.unwrap_or_default()
}

/// What a failed handshake means, in words that people know.
pub(super) fn handshake_fault(error: &std::io::Error, place: &str) -> Fault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let reason = match inner {
        Some(rustls::Error::InvalidCertificate(fault)) => certificate_words(fault),
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS there".to_owned(),
        Some(other) => other.to_string(),
        None => format!("the connection ended during the handshake ({error})"),
    };
    Fault::new(FaultKind::Tls, format!("TLS with {place} failed: {reason}"))
}

fn certificate_words(fault: &CertificateError) -> String {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate has expired, or the clock here is wrong ({fault})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate is not valid yet, or the clock here is wrong ({fault})")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate is for another name ({fault})")
        }
        CertificateError::UnknownIssuer => {
            "the certificate is signed by nobody we trust (self-signed, or an unknown CA)"
                .to_owned()
        }
        other => format!("the certificate is not valid ({other})"),
    }
}
