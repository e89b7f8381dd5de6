//! Mail to a server on loopback that says what it is told to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use andon::notify::Body;

use crate::bench::Bench;

/// What a server answers to RCPT, mail by mail; then it takes all.
type Answers = Vec<&'static str>;

/// A mail server. Gives back its port and the mails that it took.
fn server(answers: Answers) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&mails);
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        for stream in listener.incoming().flatten() {
            let recipient = answers.next().unwrap_or("250 ok");
            let mail = say(&mut &stream, "220 here").and_then(|()| talk(&stream, recipient));
            taken.lock().unwrap().extend(mail);
        }
    });
    (port, mails)
}

/// One conversation (RFC 5321) behind the greeting, with the lines of the envelope before the mail.
fn talk(stream: impl Read + Write, recipient: &str) -> Option<String> {
    let mut stream = BufReader::new(stream);
    let mut mail = String::new();
    let mut taken = false;
    while let Some(line) = line_of(&mut stream) {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-here\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "MAIL" => "250 ok",
            "RCPT" => recipient,
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 here",
        };
        mail += &format!("{line}\n");
        say(stream.get_mut(), answer)?;
        if verb == "DATA" {
            while let Some(line) = line_of(&mut stream).filter(|line| line != ".") {
                mail += &format!("{line}\n");
            }
            taken = true;
            say(stream.get_mut(), "250 taken")?;
        }
        if verb == "QUIT" {
            break;
        }
    }
    taken.then_some(mail)
}

fn line_of(stream: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end().to_owned())
}

fn say(stream: &mut impl Write, text: &str) -> Option<()> {
    write!(stream, "{text}\r\n").and_then(|()| stream.flush()).ok()
}

async fn bench(port: u16) -> Bench {
    bench_of(&format!("smtp://127.0.0.1:{port}")).await
}

/// With one mail that waits.
async fn bench_of(smtp: &str) -> Bench {
    let notify = format!(
        "  - email: {{ to: [team@example.com, \"Ada <ada@example.com>\"], from: andon@example.com, smtp: \"{smtp}\" }}\n"
    );
    let bench = Bench::new(&notify).await;
    let (subject, text) =
        ("chat: red, 1 case failing anew — é".to_owned(), "line\n.dot\n".to_owned());
    bench.put(0, "chat/7/regressed/email", &Body::Email { subject, text }, None).await;
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_reaches_every_recipient() {
    let (port, mails) = server(vec![]);
    let bench = bench(port).await;
    assert_eq!(bench.deliver().await, []);
    assert_eq!(bench.counts().await, (0, 0));
    let mails = mails.lock().unwrap();
    assert_eq!(mails.len(), 1);
    for part in [
        "MAIL FROM:<andon@example.com>",
        "RCPT TO:<team@example.com>",
        "RCPT TO:<ada@example.com>",
        "Auto-Submitted: auto-generated",
        "Message-ID: <",
        "\nline\n..dot\n",
    ] {
        assert!(mails[0].contains(part), "{part} in {}", mails[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let (port, mails) = server(vec!["450 greylisted", "550 no such user"]);
    let bench = bench(port).await;
    let left = bench.deliver().await;
    assert!(left[0].error.as_deref().unwrap().contains("greylisted"), "{left:?}");
    bench.advance(5);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(bench.counts().await, (0, 1));
    assert!(mails.lock().unwrap().is_empty());
}

/// How a server comes to TLS.
#[derive(Clone, Copy)]
enum Secured {
    /// It speaks nothing else (`smtps://`).
    FromTheFirstByte,
    /// The client asks for it (RFC 3207).
    ByStartTls,
}

/// A mail server with a certificate of its own authority, which is written to `authority`.
fn secure_server(how: Secured, name: &str, authority: &Path) -> (u16, Arc<Mutex<Vec<String>>>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(authority, certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&mails);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mail = talk_securely(how, stream, Arc::clone(&config));
            taken.lock().unwrap().extend(mail);
        }
    });
    (port, mails)
}

fn talk_securely(
    how: Secured,
    mut stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
) -> Option<String> {
    if let Secured::ByStartTls = how {
        let mut lines = BufReader::new(stream.try_clone().ok()?);
        say(&mut stream, "220 here")?;
        line_of(&mut lines).filter(|line| line.starts_with("EHLO"))?;
        say(&mut stream, "250-here\r\n250 STARTTLS")?;
        line_of(&mut lines).filter(|line| line == "STARTTLS")?;
        say(&mut stream, "220 go on")?;
    }
    let connection = rustls::ServerConnection::new(config).ok()?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    if let Secured::FromTheFirstByte = how {
        say(&mut stream, "220 here")?;
    }
    talk(stream, "250 ok")
}

/// The trusted roots are those of the machine, or of `SSL_CERT_FILE`, once for each process. So this test
/// starts itself again: the inner run trusts the server's authority, the outer does not.
async fn is_sent_to_who_is_trusted_only(how: Secured, name: &str, test: &str) {
    const ADDRESS: &str = "ANDON_TEST_SMTP";
    if let Ok(smtp) = std::env::var(ADDRESS) {
        assert_eq!(bench_of(&smtp).await.deliver().await, []);
        return;
    }
    let authority = tempfile::NamedTempFile::new().unwrap();
    let (port, mails) = secure_server(how, name, authority.path());
    let (scheme, host) = match how {
        Secured::FromTheFirstByte => ("smtps", name.to_owned()),
        Secured::ByStartTls => ("smtp", format!("[{name}]")),
    };
    let smtp = format!("{scheme}://andon:p%40ss-word@{host}:{port}");

    let left = bench_of(&smtp).await.deliver().await;
    let error = left[0].error.as_deref().unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert!(mails.lock().unwrap().is_empty(), "nothing was said to who is not trusted");

    let inner = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(ADDRESS, &smtp)
        .env("SSL_CERT_FILE", authority.path())
        .output();
    let inner = inner.await.unwrap();
    let said = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && said.contains("1 passed"), "{said}");
    let mails = mails.lock().unwrap();
    // `andon` and `p@ss-word`, as AUTH PLAIN has them.
    assert!(mails[0].contains("AUTH PLAIN AGFuZG9uAHBAc3Mtd29yZA=="), "{}", mails[0]);
    assert!(mails[0].contains("RCPT TO:<ada@example.com>"), "{}", mails[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn smtps_is_spoken_to_a_trusted_server_only() {
    const TEST: &str = "mail::smtps_is_spoken_to_a_trusted_server_only";
    is_sent_to_who_is_trusted_only(Secured::FromTheFirstByte, "localhost", TEST).await;
}

/// An address of this machine that does not look like one, so that it is treated as any other server.
const ELSEWHERE: &str = "::ffff:127.0.0.1";

#[tokio::test(flavor = "multi_thread")]
async fn starttls_is_asked_for_and_only_a_trusted_server_gets_a_mail() {
    const TEST: &str = "mail::starttls_is_asked_for_and_only_a_trusted_server_gets_a_mail";
    is_sent_to_who_is_trusted_only(Secured::ByStartTls, ELSEWHERE, TEST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_starttls_gets_neither_a_login_nor_a_mail() {
    let (port, mails) = server(vec![]);
    let bench = bench_of(&format!("smtp://andon:p%40ss-word@[{ELSEWHERE}]:{port}")).await;
    let left = bench.deliver().await;
    assert!(left[0].error.as_deref().unwrap().contains("STARTTLS"), "{left:?}");
    assert!(mails.lock().unwrap().is_empty());
}
