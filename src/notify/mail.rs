//! A mail by SMTP: `smtps://` with TLS from the first byte, `smtp://` with STARTTLS, which is not left
//! out for a server that offers none; only a server on this very machine is spoken to in the clear.

use std::net::IpAddr;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use super::fate::Refusal;
use crate::domain::spec::EmailNotify;

/// From the connection to the server's last word. Mail servers take their time on purpose.
const DEADLINE: Duration = Duration::from_secs(30);
const SMTPS_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;
const SMTP_PORT: u16 = 25;
const MAX_ERROR: usize = 300;

/// Sends a mail. `smtp` is the server's address, filled in.
pub(super) async fn send(
    channel: &EmailNotify,
    smtp: &str,
    subject: &str,
    text: &str,
    key: &str,
) -> Result<(), Refusal> {
    let message = compose(channel, subject, text, key).map_err(Refusal::Never)?;
    let sending = async {
        let transport = transport(smtp).await?;
        transport.send(message).await.map_err(|fault| refusal(&fault))
    };
    match tokio::time::timeout(DEADLINE, sending).await {
        Ok(done) => done.map(|_| ()),
        Err(_) => Err(Refusal::Later(format!("the mail server took longer than {DEADLINE:?}"))),
    }
}

fn compose(channel: &EmailNotify, subject: &str, text: &str, key: &str) -> Result<Message, String> {
    let mailbox =
        |text: &str| text.parse::<Mailbox>().map_err(|fault| format!("address {text:?}: {fault}"));
    let from = mailbox(&channel.from)?;
    let domain = from.email.domain().to_owned();
    // The same key makes the same id, so that a mail program shows a repetition once.
    let id = hex::encode(&Sha256::digest(key.as_bytes())[..16]);
    let mut builder = Message::builder()
        .from(from)
        .subject(subject)
        .message_id(Some(format!("<{id}@{domain}>")))
        .header(Automatic)
        .header(ContentType::TEXT_PLAIN);
    for to in &channel.to {
        builder = builder.to(mailbox(to)?);
    }
    builder.body(text.to_owned()).map_err(|fault| fault.to_string())
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no "out of office" comes back.
#[derive(Clone)]
struct Automatic;

impl Header for Automatic {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

async fn transport(smtp: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, Refusal> {
    let never = |why: &str| Refusal::Never(format!("`smtp` cannot be used: {why}"));
    let url = Url::parse(smtp).map_err(|fault| never(&fault.to_string()))?;
    let host = url.host_str().ok_or_else(|| never("it names no host"))?;
    // An address of IPv6 stands in brackets, and neither a certificate nor a socket knows those.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (tls, default_port) = match url.scheme() {
        "smtps" => (Tls::Wrapper(parameters(&host).await?), SMTPS_PORT),
        "smtp" if is_this_machine(&url) => (Tls::None, SMTP_PORT),
        "smtp" => (Tls::Required(parameters(&host).await?), SUBMISSION_PORT),
        other => return Err(never(&format!("scheme {other:?} is not smtp or smtps"))),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
        .port(url.port().unwrap_or(default_port))
        .timeout(Some(DEADLINE))
        .tls(tls);
    if !url.username().is_empty() {
        let password = url.password().unwrap_or_default();
        builder = builder.credentials(Credentials::new(decoded(url.username()), decoded(password)));
    }
    Ok(builder.build())
}

/// Reading the machine's roots takes a while: not on an async thread.
async fn parameters(host: &str) -> Result<TlsParameters, Refusal> {
    let host = host.to_owned();
    let made = tokio::task::spawn_blocking(move || TlsParameters::new(host)).await;
    made.map_err(|fault| Refusal::Later(fault.to_string()))?
        .map_err(|fault| Refusal::Later(fault.to_string()))
}

/// `url` knows no special hosts for this scheme, so addresses are read here.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A server's final "no" is final, but for a login: a password can be renewed.
fn refusal(fault: &lettre::transport::smtp::Error) -> Refusal {
    let why = super::message::one_line(&crate::domain::errors::chain(fault), MAX_ERROR);
    let login = fault.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538));
    if fault.is_permanent() && !login { Refusal::Never(why) } else { Refusal::Later(why) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::template::Template;

    fn channel(to: &[&str]) -> EmailNotify {
        EmailNotify {
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            from: "Andon <andon@example.com>".to_owned(),
            smtp: Template::literal("smtp://127.0.0.1"),
        }
    }

    #[test]
    fn the_same_key_makes_the_same_mail_and_no_text_a_header() {
        let mail = |key| {
            let made = compose(&channel(&["a@example.com"]), "s\r\nBcc: x@example.com", "t", key);
            String::from_utf8(made.unwrap().formatted()).unwrap()
        };
        let id = |mail: &str| {
            mail.lines().find(|line| line.starts_with("Message-ID")).map(str::to_owned).unwrap()
        };
        assert_eq!(id(&mail("k")), id(&mail("k")));
        assert_ne!(id(&mail("k")), id(&mail("l")));
        assert!(!mail("k").lines().any(|line| line.starts_with("Bcc")), "{}", mail("k"));
    }

    #[test]
    fn a_bad_address_is_told() {
        let fault = compose(&channel(&["a@b@c"]), "s", "t", "k").unwrap_err();
        assert!(fault.contains("a@b@c"), "{fault}");
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        let table = [
            ("smtp://127.0.0.1:25", true),
            ("smtp://localhost", true),
            ("smtp://[::1]:25", true),
            ("smtp://mail.example.com", false),
            ("smtp://127.0.0.1.example.com", false),
        ];
        for (url, expected) in table {
            assert_eq!(is_this_machine(&Url::parse(url).unwrap()), expected, "{url}");
        }
        assert_eq!(decoded("a%40b%2"), "a@b%2");
    }
}
