//! TLS: good and bad certificates, HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;

use andon::domain::failure::FailureClass;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::kit::{pipeline, run_with};
use crate::server::{Server, closed_port, json};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: tempfile::NamedTempFile,
}

/// An authority of our own, and its certificate as a file.
fn authority() -> Authority {
    let mut params = CertificateParams::new(vec![]).expect("no names are good names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("there is entropy");
    let issuer = CertifiedIssuer::self_signed(params, key).expect("it signs itself");
    let pem = tempfile::NamedTempFile::new().expect("there is a temporary folder");
    std::fs::write(pem.path(), issuer.pem()).expect("it can be written");
    Authority { issuer, pem }
}

/// An acceptor with a certificate for `name` that is good for some years.
fn acceptor(authority: &Authority, name: &str, years: (i32, i32), alpn: &[u8]) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().expect("there is entropy");
    let leaf = params.signed_by(&key, &authority.issuer).expect("it can be signed");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let mut config = ServerConfig::builder_with_provider(andon::probe::crypto_provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("key and certificate fit");
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

const GOOD: (i32, i32) = (2020, 2060);

async fn run(cases: &str) -> crate::kit::Ran {
    let cases = cases.replace('\n', "\n    ");
    let text = format!("suite:\n  concurrency: 8\n  retries: 0\n  cases:\n    {cases}\n");
    run_with(pipeline(&text, &[]), Default::default()).await
}

/// RELIABILITY C5: a certificate of another time may mean that the clock is wrong.
#[tokio::test]
async fn certificates_are_checked_and_shown() {
    let authority = authority();
    let start = |name, years| {
        let acceptor = acceptor(&authority, name, years, b"http/1.1");
        Server::start_tls(acceptor, |_| json(200, "{}"))
    };
    let good = start("localhost", GOOD).await;
    let expired = start("localhost", (2020, 2021)).await;
    let future = start("localhost", (2055, 2060)).await;
    let other = start("other.example", GOOD).await;
    let plain = Server::start(|_| json(200, "{}")).await;
    let ca = authority.pem.path().display();
    let mut cases = String::new();
    let mut case = |id: &str, port: u16, options: &str, expect: &str| {
        cases.push_str(&format!(
            "- id: {id}\n  steps: [{{ http: {{ url: \"https://localhost:{port}/\"{options} }}{expect} }}]\n"
        ));
    };
    let with_ca = format!(", ca: \"{ca}\"");
    case("good", good.port, &with_ca, ", expect: { tls: { expires_in: \"> 14d\" } }");
    case("too_short", good.port, &with_ca, ", expect: { tls: { expires_in: \"> 36500d\" } }");
    case("unknown_ca", good.port, "", "");
    case("insecure", expired.port, ", insecure: true", "");
    case("expired", expired.port, &with_ca, "");
    case("future", future.port, &with_ca, "");
    case("wrong_name", other.port, &with_ca, "");
    case("plain", plain.port, &with_ca, "");
    case("refused", closed_port().await, &with_ca, "");
    let ran = run(&cases).await;
    use FailureClass::{Connection, Tls};
    ran.passed("good");
    let tls = ran.last("good").evidence.exchanges[0].tls.clone().expect("TLS was seen");
    assert_eq!((tls.version.as_str(), tls.server_name.as_str()), ("TLSv1.3", "localhost"));
    assert!(tls.days_left > 3_650 && tls.seconds_left / 86_400 == tls.days_left);
    assert!(ran.last("good").evidence.exchanges[0].timings.tls_us.is_some());
    ran.passed("insecure");
    let seen = ran.last("insecure").evidence.exchanges[0].tls.clone().expect("TLS was seen");
    assert!(seen.days_left < 0 && !seen.verified && tls.verified);
    let stored = serde_json::to_string(&seen).expect("evidence can be stored");
    assert!(stored.contains(r#""verified":false"#), "{stored}");
    ran.failed("too_short", Tls, "expected certificate expires in > 36500d");
    ran.failed("unknown_ca", Tls, "signed by nobody we trust");
    ran.failed("expired", Tls, "has expired, or the clock here is wrong");
    ran.failed("future", Tls, "not valid yet");
    ran.failed("wrong_name", Tls, "for another name");
    ran.failed("plain", Tls, "does not speak TLS");
    ran.failed("refused", Connection, "refused the connection");
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_our_fault() {
    let server = Server::start(|_| json(200, "{}")).await;
    let cases = format!(
        "- id: a\n  steps: [{{ http: {{ url: \"https://localhost:{}/\", ca: \"/no/such/ca.pem\" }} }}]\n",
        server.port
    );
    run(&cases).await.errored("a", FailureClass::Setup, "/no/such/ca.pem cannot be used");
}

async fn http2_server(acceptor: Option<TlsAcceptor>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request: http::Request<_>| async move {
                    let _body: hyper::body::Incoming = request.into_body();
                    Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"{}"))))
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let served = match acceptor {
                    None => builder.serve_connection(TokioIo::new(stream), service).await,
                    Some(acceptor) => {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        builder.serve_connection(TokioIo::new(stream), service).await
                    }
                };
                drop(served);
            });
        }
    });
    port
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_asked_for() {
    let authority = authority();
    let over_tls = http2_server(Some(acceptor(&authority, "localhost", GOOD, b"h2"))).await;
    let plain = http2_server(None).await;
    let old_acceptor = acceptor(&authority, "localhost", GOOD, b"http/1.1");
    let old = Server::start_tls(old_acceptor, |_| json(200, "{}")).await;
    let ca = authority.pem.path().display();
    let cases = format!(
        r#"
- id: over_tls
  steps:
    - http: {{ url: "https://localhost:{over_tls}/", http2: true, ca: "{ca}" }}
    - http: {{ url: "https://localhost:{over_tls}/", http2: true, ca: "{ca}" }}
- id: plain
  steps: [{{ http: {{ method: POST, url: "http://localhost:{plain}/", http2: true, json: {{}} }} }}]
- id: old
  steps: [{{ http: {{ url: "https://localhost:{}/", http2: true, ca: "{ca}" }} }}]
"#,
        old.port
    );
    let ran = run(&cases).await;
    ran.passed("over_tls");
    ran.passed("plain");
    let evidence = &ran.last("over_tls").evidence;
    assert_eq!(evidence.exchanges[0].version.as_deref(), Some("HTTP/2"));
    assert_eq!(evidence.connections, 1);
    assert!(
        ran.failure("old").message.contains("HTTP/2")
            || ran.failure("old").class == FailureClass::Tls
    );
}
