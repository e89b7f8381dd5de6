//! Commands that repeat a step by hand: curl, or `andon probe` for sockets and streams.
//!
//! The caller renders with a lookup that gives [`variable`] for everything secret; here such marks
//! become shell variables, and all else is quoted so that a shell reads it as it stands.

use serde_json::Value;

use crate::domain::address::{encode_component, is_unreserved, render_address};
use crate::domain::spec::{
    Body, EventName, EventsExpect, HttpRequest, TlsOptions, WsMessage, WsOpen,
};
use crate::domain::template::{JsonTemplate, Lookup, Origin, Piece, Template, text_of};

/// Characters of Unicode's private area mark where a variable's name begins and ends. They are
/// themselves where addresses are encoded, and the last one says that its value is to be encoded too.
const BEGIN: char = '\u{e000}';
const END: char = '\u{e001}';
const END_ENCODED: char = '\u{e002}';

/// Percent-encodes each byte of what it reads, with nothing but what POSIX has.
const PERCENT_ENCODE: &str = r"od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g'";

/// A longer body is left out; the command says so.
const MAX_DATA_BYTES: usize = 2_000;

/// A mark that becomes `$NAME` in the command.
pub fn variable(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    format!("{BEGIN}{name}{END}")
}

/// A mark that becomes `$NAME` within an address, or a command that percent-encodes it, where
/// `value` is one that does not stand for itself there.
pub fn address_variable(name: &str, value: &str) -> String {
    let mark = variable(name);
    match value.bytes().all(is_unreserved) {
        true => mark,
        false => mark.replace(END, &END_ENCODED.to_string()),
    }
}

/// A curl command that makes the same request.
pub fn repro_http(request: &HttpRequest, lookup: &dyn Lookup) -> String {
    let mut words = vec!["curl".to_owned(), "-sS".to_owned(), "-i".to_owned()];
    let implied = if request.body.is_some() { "POST" } else { "GET" };
    match request.method.as_str() {
        "HEAD" => words.push("-I".to_owned()),
        method if method != implied => words.push(format!("-X {}", quoted(method))),
        _ => {}
    }
    add_tls(&mut words, &request.tls);
    if request.http2 {
        let over_tls = request.url.source().starts_with("https");
        let flag = if over_tls { "--http2" } else { "--http2-prior-knowledge" };
        words.push(flag.to_owned());
    }
    if request.follow > 0 {
        words.push(format!("-L --max-redirs {}", request.follow));
    }
    if let Some(token) = &request.bearer {
        let value = format!("authorization: Bearer {}", shown(token, lookup));
        words.push(format!("-H {}", quoted(&value)));
    }
    if let Some(basic) = &request.basic {
        let user = shown(&basic.username, lookup);
        let password = shown(&basic.password, lookup);
        words.push(format!("-u {}", quoted(&format!("{user}:{password}"))));
    }
    for (name, value) in &request.headers {
        words.push(format!("-H {}", quoted(&format!("{name}: {}", shown(value, lookup)))));
    }
    if let Some(body) = &request.body {
        add_body(&mut words, body, request, lookup);
    }
    words.push(quoted(&address(&request.url, &request.query, lookup)));
    words.join(" ")
}

/// An `andon probe` command that opens the same stream.
pub fn repro_sse(
    request: &HttpRequest,
    events: Option<&EventsExpect>,
    lookup: &dyn Lookup,
) -> String {
    let mut words = vec!["andon probe --sse".to_owned()];
    words.push(quoted(&address(&request.url, &request.query, lookup)));
    if request.method != "GET" {
        words.push(format!("--method {}", quoted(&request.method)));
    }
    if request.tls.insecure {
        words.push("--insecure".to_owned());
    }
    if let Some(token) = &request.bearer {
        let value = format!("authorization: Bearer {}", shown(token, lookup));
        words.push(format!("--header {}", quoted(&value)));
    }
    add_headers(&mut words, &request.headers, lookup);
    if let Some(Body::Json(json)) = &request.body {
        if !request.headers.iter().any(|(name, _)| name == "content-type") {
            words.push("--header 'content-type: application/json'".to_owned());
        }
        words.push(format!("--data {}", quoted(&data(&json_text(json, lookup)))));
    }
    add_events(&mut words, events, lookup);
    words.join(" ")
}

/// An `andon probe` command that opens the same socket and sends the same.
pub fn repro_ws(
    open: &WsOpen,
    send: &[WsMessage],
    events: Option<&EventsExpect>,
    lookup: &dyn Lookup,
) -> String {
    let mut words = vec!["andon probe".to_owned(), quoted(&address(&open.url, &[], lookup))];
    if open.tls.insecure {
        words.push("--insecure".to_owned());
    }
    add_headers(&mut words, &open.headers, lookup);
    for subprotocol in &open.subprotocols {
        words.push(format!("--subprotocol {}", quoted(&shown(subprotocol, lookup))));
    }
    for message in send {
        let text = match message {
            WsMessage::Json(json) => json_text(json, lookup),
            WsMessage::Text(text) => shown(text, lookup),
        };
        words.push(format!("--data {}", quoted(&data(&text))));
    }
    add_events(&mut words, events, lookup);
    words.join(" ")
}

fn add_headers(words: &mut Vec<String>, headers: &[(String, Template)], lookup: &dyn Lookup) {
    for (name, value) in headers {
        words.push(format!("--header {}", quoted(&format!("{name}: {}", shown(value, lookup)))));
    }
}

fn add_events(words: &mut Vec<String>, events: Option<&EventsExpect>, lookup: &dyn Lookup) {
    let Some(events) = events else { return };
    match &events.by {
        EventName::SseEvent => words.push("--by event".to_owned()),
        EventName::Json(path) if path.source() == "$.type" => {}
        EventName::Json(path) => words.push(format!("--by {}", quoted(path.source()))),
    }
    for name in &events.all {
        words.push(format!("--expect-event {}", quoted(&shown(name, lookup))));
    }
}

fn add_tls(words: &mut Vec<String>, tls: &TlsOptions) {
    if tls.insecure {
        words.push("-k".to_owned());
    }
    if let Some(ca) = &tls.ca {
        words.push(format!("--cacert {}", quoted(&ca.to_string_lossy())));
    }
}

fn add_body(words: &mut Vec<String>, body: &Body, request: &HttpRequest, lookup: &dyn Lookup) {
    let mut kind = |text: &str| {
        if !request.headers.iter().any(|(name, _)| name == "content-type") {
            words.push(format!("-H {}", quoted(&format!("content-type: {text}"))));
        }
    };
    match body {
        Body::Json(json) => {
            kind("application/json");
            words.push(format!("--data-raw {}", quoted(&data(&json_text(json, lookup)))));
        }
        Body::Text(text) => {
            kind("text/plain; charset=utf-8");
            words.push(format!("--data-raw {}", quoted(&data(&shown(text, lookup)))));
        }
        Body::Form(fields) => {
            for (name, value) in fields {
                let pair = format!("{name}={}", shown(value, lookup));
                words.push(format!("--data-urlencode {}", quoted(&pair)));
            }
        }
        Body::File(path) => {
            kind("application/octet-stream");
            let file = format!("@{}", path.display());
            words.push(format!("--data-binary {}", quoted(&file)));
        }
        Body::Multipart(parts) => {
            for part in parts {
                let value = match (&part.text, &part.file) {
                    (_, Some(path)) => format!("{}=@{}", part.name, path.display()),
                    (text, None) => {
                        let text = text.as_ref().map(|t| shown(t, lookup)).unwrap_or_default();
                        format!("{}={text}", part.name)
                    }
                };
                words.push(format!("-F {}", quoted(&value)));
            }
        }
    }
}

fn address(url: &Template, query: &[(String, Template)], lookup: &dyn Lookup) -> String {
    let lookup = OrWritten(lookup);
    let mut address = render_address(url, &lookup).unwrap_or_else(|_| url.source().to_owned());
    if address.starts_with(BEGIN) {
        // A value with which an address begins stands as it is.
        address = address.replacen(END_ENCODED, &END.to_string(), 1);
    }
    for (index, (name, value)) in query.iter().enumerate() {
        address.push(if index == 0 && !address.contains('?') { '?' } else { '&' });
        encode(name, &mut address);
        address.push('=');
        let pieces = value.pieces(&lookup).unwrap_or_default();
        pieces.iter().for_each(|piece| encode(&piece.text, &mut address));
    }
    address
}

/// Percent-encodes all but what a query may hold, and the marks of variables.
fn encode(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, BEGIN | END | END_ENCODED) {
            out.push(c);
        } else {
            out.push_str(&encode_component(c.encode_utf8(&mut [0; 4])));
        }
    }
}

/// A name without a value stays as it is written.
struct OrWritten<'a>(&'a dyn Lookup);

impl Lookup for OrWritten<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.0.get(name).or_else(|| Some(format!("${{{name}}}").into()))
    }

    fn pieces(&self, name: &str) -> Option<Vec<Piece>> {
        self.0.pieces(name).or_else(|| {
            let text = format!("${{{name}}}");
            Some(vec![Piece { text, origin: Origin::Written }])
        })
    }
}

/// A template filled in.
fn shown(template: &Template, lookup: &dyn Lookup) -> String {
    template.render(&OrWritten(lookup)).unwrap_or_else(|_| template.source().to_owned())
}

fn json_text(json: &JsonTemplate, lookup: &dyn Lookup) -> String {
    let value = json.render(lookup).unwrap_or_else(|_| json.source());
    match &value {
        serde_json::Value::String(_) => value.to_string(),
        other => text_of(other),
    }
}

fn data(text: &str) -> String {
    if text.len() <= MAX_DATA_BYTES {
        return text.to_owned();
    }
    format!("({} bytes: see the pipeline)", text.len())
}

/// A text as one word of a POSIX shell: single quotes around everything, double quotes around
/// variables only.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for (index, piece) in text.split(BEGIN).enumerate() {
        let rest = match variable_in(piece).filter(|_| index > 0) {
            Some((name, END_ENCODED, rest)) => {
                out.push_str(&format!("\"$(printf %s \"${name}\" | {PERCENT_ENCODE})\""));
                rest
            }
            Some((name, _, rest)) => {
                out.push_str(&format!("\"${name}\""));
                rest
            }
            None => piece,
        };
        if !rest.is_empty() {
            out.push_str(&plain_word(rest));
        }
    }
    if out.is_empty() { "''".to_owned() } else { out }
}

/// The name of the variable with which a piece begins, the mark at its end, and what follows.
fn variable_in(piece: &str) -> Option<(&str, char, &str)> {
    let (name, tail) = piece.split_at(piece.find([END, END_ENCODED])?);
    let mut rest = tail.chars();
    let mark = rest.next()?;
    is_variable(name).then_some((name, mark, rest.as_str()))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn plain_word(text: &str) -> String {
    let safe = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | '@' | ',')
    };
    if text.chars().all(safe) {
        return text.to_owned();
    }
    // A NUL cannot stand in an argument, and control characters could forge a terminal's output.
    let clean: String =
        text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    format!("'{}'", clean.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn values(name: &str) -> Option<Value> {
        match name {
            "base_url" => Some(json!("https://h.example")),
            "identity.alice.token" => Some(json!(variable("IDENTITY_ALICE_TOKEN"))),
            "secret.jwt-key" => Some(json!(variable("SECRET_jwt-key"))),
            "text" => Some(json!("it's; $(rm -rf /) `x` \"y\"")),
            _ => None,
        }
    }

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    fn request(method: &str) -> HttpRequest {
        HttpRequest {
            method: method.to_owned(),
            url: template("${base_url}/api"),
            headers: vec![],
            query: vec![],
            body: None,
            follow: 0,
            basic: None,
            bearer: None,
            tls: TlsOptions::default(),
            http2: false,
        }
    }

    #[test]
    fn secrets_become_variables() {
        let mut request = request("POST");
        request.headers =
            vec![("authorization".to_owned(), template("Bearer ${identity.alice.token}"))];
        request.query = vec![("key".to_owned(), template("a ${secret.jwt-key}"))];
        request.body = Some(Body::Json(JsonTemplate::parse(&json!({"t": "${text}"})).unwrap()));
        assert_eq!(
            repro_http(&request, &values),
            "curl -sS -i -H 'authorization: Bearer '\"$IDENTITY_ALICE_TOKEN\" \
             -H 'content-type: application/json' \
             --data-raw '{\"t\":\"it'\\''s; $(rm -rf /) `x` \\\"y\\\"\"}' \
             'https://h.example/api?key=a%20'\"$SECRET_JWT_KEY\""
        );
    }

    #[test]
    fn methods_and_options() {
        let mut request = request("DELETE");
        request.follow = 3;
        request.tls.insecure = true;
        request.http2 = true;
        let text = repro_http(&request, &values);
        assert_eq!(
            text,
            "curl -sS -i -X DELETE -k --http2-prior-knowledge -L --max-redirs 3 https://h.example/api"
        );
        assert!(
            repro_http(&super::tests::request("GET"), &values).starts_with("curl -sS -i https")
        );
    }

    #[test]
    fn sockets_are_probed() {
        let open = WsOpen {
            url: template("wss://h.example/ws"),
            headers: vec![("authorization".to_owned(), template("Bearer ${identity.alice.token}"))],
            subprotocols: vec![template("jwt-auth")],
            tls: TlsOptions::default(),
        };
        let events = EventsExpect {
            by: EventName::Json(crate::domain::spec::JsonPath::parse("$.type").unwrap()),
            within: Duration::from_secs(5),
            ordered: false,
            all: vec![template("connected")],
            none: vec![],
            filter: vec![],
        };
        let send = [WsMessage::Text(template("hi there"))];
        assert_eq!(
            repro_ws(&open, &send, Some(&events), &values),
            "andon probe wss://h.example/ws --header 'authorization: Bearer '\"$IDENTITY_ALICE_TOKEN\" \
             --subprotocol jwt-auth --data 'hi there' --expect-event connected"
        );
    }

    #[test]
    fn forged_marks_are_no_variables() {
        let forged = format!("a{BEGIN}IFS`id`{END}b");
        assert_eq!(quoted(&forged), format!("a'IFS`id`{END}b'"));
    }

    proptest! {
        /// So it is for a secret within an address, which the shell encodes as we do.
        #[test]
        fn a_shell_encodes_what_we_encode(value in "[ -~äé\n]{6,60}") {
            let address = format!("http://h/{}/x", address_variable("SECRET_KEY", &value));
            let command = format!("printf %s {}", quoted(&address));
            #[allow(clippy::disallowed_methods)] // A test may run what a person would.
            let out = std::process::Command::new("sh")
                .args(["-c", &command])
                .env("SECRET_KEY", &value)
                .output()
                .unwrap();
            let out = String::from_utf8(out.stdout).unwrap();
            let inner = out.strip_prefix("http://h/").unwrap().strip_suffix("/x").unwrap();
            let decoded = url::form_urlencoded::parse(format!("v={inner}").as_bytes())
                .next()
                .unwrap()
                .1
                .into_owned();
            prop_assert_eq!(decoded, value);
            prop_assert!(!inner.contains(['/', '#', '?', ' ', '\n', '@', '&']));
        }

        /// `sh` itself is the oracle: what it reads is what was meant.
        #[test]
        fn a_shell_reads_what_was_written(text in "[ -~äé\n]{0,40}") {
            let command = format!("printf %s {}", quoted(&text));
            #[allow(clippy::disallowed_methods)] // A test may run what a person would.
            let out = std::process::Command::new("sh").arg("-c").arg(&command).output().unwrap();
            prop_assert_eq!(String::from_utf8(out.stdout).unwrap(), text);
        }
    }
}
