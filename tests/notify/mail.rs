//! Mail to a server on loopback that says what it is told to say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
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
            if let Some(mail) = talk(&stream, recipient) {
                taken.lock().unwrap().push(mail);
            }
        }
    });
    (port, mails)
}

/// One conversation (RFC 5321), with the lines of the envelope before the mail.
fn talk(mut stream: &TcpStream, recipient: &str) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let mut mail = String::new();
    let mut taken = false;
    writeln!(stream, "220 here\r").ok()?;
    while let Some(Ok(line)) = lines.next() {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "MAIL" => "250 ok",
            "RCPT" => recipient,
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 here",
        };
        mail += &format!("{line}\n");
        writeln!(stream, "{answer}\r").ok()?;
        if verb == "DATA" {
            for line in lines.by_ref().map_while(Result::ok).take_while(|line| line != ".") {
                mail += &format!("{line}\n");
            }
            taken = true;
            writeln!(stream, "250 taken\r").ok()?;
        }
        if verb == "QUIT" {
            break;
        }
    }
    taken.then_some(mail)
}

async fn bench(port: u16) -> Bench {
    let notify = format!(
        "  - email: {{ to: [team@example.com, \"Ada <ada@example.com>\"], from: andon@example.com, smtp: \"smtp://127.0.0.1:{port}\" }}\n"
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
