//! Values in addresses: the right address is asked, and nothing of a secret shows, whichever
//! characters it has.

use andon::domain::failure::FailureClass;

use crate::kit::{Ran, Running, head, pipeline, run_with, with_cases};
use crate::server::{Asked, Frame, Reply, Server, json};

/// Everything that means something in an address, a shell, JSON or HTML.
const SECRET: &str = "Q7w#Zx8&Ky9?Pv6 Jm5/Hd4@Gf3:Ls2%Nt1+Wr0\"Bc'Xq\\Vj=Ok~Um*;,$!";
/// The same as one component of an address.
const ENCODED: &str = "Q7w%23Zx8%26Ky9%3FPv6%20Jm5%2FHd4%40Gf3%3ALs2%25Nt1%2BWr0%22Bc%27Xq%5CVj%3DOk~Um%2A%3B%2C%24%21";
/// Pieces of it that stand for themselves in every encoding but base64.
const PIECES: [&str; 12] =
    ["Q7w", "Zx8", "Ky9", "Pv6", "Jm5", "Hd4", "Gf3", "Ls2", "Nt1", "Wr0", "Vj", "Ok~Um"];

/// Tells whoever asks what was asked, in a status that no step expects.
fn echo(asked: Asked) -> Reply {
    if asked.header("upgrade") == "websocket" {
        let hello = serde_json::json!({ "type": "hello", "asked": asked.path });
        return Reply::Ws(None, vec![Frame::Text(hello.to_string()), Frame::Echo, Frame::Stay]);
    }
    if asked.path == "/login" {
        let token =
            serde_json::json!({ "token": SECRET, "id": "a/b c", "next": "/items?page=2&n=1" });
        return json(200, &token.to_string());
    }
    let shown = serde_json::json!({
        "path": asked.path, "headers": asked.headers, "body": asked.body,
    });
    json(418, &shown.to_string())
}

async fn run_secretly(port: u16, cases: &str) -> Ran {
    let running = Running { key: SECRET.to_owned(), ..Running::default() };
    run_with(pipeline(&with_cases(port, cases), &[]), running).await
}

#[track_caller]
fn shows_nothing(stored: &str) {
    for piece in PIECES {
        assert!(!stored.contains(piece), "{piece} of the secret shows in {stored}");
    }
}

#[tokio::test]
async fn a_secret_is_a_component_of_the_address_that_it_stands_in() {
    let server = Server::start(echo).await;
    let ran = run_secretly(
        server.port,
        r#"
- id: path
  steps: [{ http: { url: "${base}/p/${secret.key}/end" } }]
- id: query
  steps: [{ http: { url: "${base}/q?key=${secret.key}&last=1" } }]
- id: map
  steps: [{ http: { url: "${base}/m", query: { key: "${secret.key}" } } }]
- id: header
  steps: [{ http: { url: "${base}/h", headers: { X-Key: "${secret.key}" } } }]
- id: body
  steps: [{ http: { method: POST, url: "${base}/b", json: { key: "${secret.key}" } } }]
- id: form
  steps: [{ http: { method: POST, url: "${base}/f", form: { key: "${secret.key}" } } }]
- id: stream
  steps: [{ sse: { url: "${base}/s/${secret.key}" }, expect: { first_byte: "< 5s" } }]
- id: socket
  steps:
    - ws: { url: "${ws}/w/${secret.key}" }
      send: { json: { key: "${secret.key}" } }
      expect: { events: { by: $.type, within: 300ms, all: [hello, never] } }
"#,
    )
    .await;
    let asked = |path: String| assert_eq!(server.asked(&path).len(), 1, "{path} was not asked");
    asked(format!("/p/{ENCODED}/end"));
    asked(format!("/q?key={ENCODED}&last=1"));
    asked(format!("/s/{ENCODED}"));
    asked(format!("/w/{ENCODED}"));
    let header = &server.asked("/h")[0];
    assert_eq!(header.header("x-key"), SECRET);
    for case in ["path", "query", "map", "header", "body", "form", "stream"] {
        assert_eq!(ran.failure(case).class, FailureClass::HttpStatus, "{case}");
    }
    ran.failed("socket", FailureClass::MissingEvent, "never");
    shows_nothing(&ran.stored());
    let repro = ran.failure("query").repro.clone().unwrap_or_default();
    let encoding = "\"$(printf %s \"$SECRET_KEY\" | od -An";
    assert!(repro.contains("/q?key='") && repro.contains(encoding), "{repro}");
}

#[tokio::test]
async fn a_secret_within_a_variable_is_one_too() {
    let server = Server::start(echo).await;
    let vars = head(server.port).replace(
        "vars: {",
        "vars: { keyed: \"http://127.0.0.1:PORT/v/${secret.key}\", tail: \"${secret.key}\",",
    );
    let text = format!(
        "{}suite:\n  retries: 0\n  cases:\n    - id: whole\n      steps: [{{ http: {{ url: \"${{keyed}}/x\" }} }}]\n    \
         - id: tail\n      steps: [{{ http: {{ url: \"${{base}}/t/${{tail}}\" }} }}]\n",
        vars.replace("PORT", &server.port.to_string())
    );
    let running = Running { key: SECRET.to_owned(), ..Running::default() };
    let ran = run_with(pipeline(&text, &[]), running).await;
    assert_eq!(server.asked(&format!("/v/{ENCODED}/x")).len(), 1, "{}", ran.stored());
    assert_eq!(server.asked(&format!("/t/{ENCODED}")).len(), 1, "{}", ran.stored());
    shows_nothing(&ran.stored());
}

#[tokio::test]
async fn a_secret_as_user_or_host_shows_nowhere() {
    let server = Server::start(echo).await;
    let port = server.port;
    let ran = run_secretly(
        port,
        &r#"
- id: user
  steps: [{ http: { url: "http://${secret.key}:${secret.key}@127.0.0.1:PORT/u" } }]
- id: socket
  steps:
    - ws: { url: "ws://me:${secret.key}@127.0.0.1:PORT/w" }
      expect: { events: { by: $.type, within: 300ms, all: [never] } }
- id: host
  steps: [{ http: { url: "http://${secret.key}/x" } }]
- id: within
  steps: [{ ws: { url: "ws://a.${secret.key}:1/x" } }]
- id: nothing
  steps: [{ http: { url: "${secret.key}" } }]
"#
        .replace("PORT", &port.to_string()),
    )
    .await;
    use base64::Engine as _;
    let basic =
        |text: String| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    assert_eq!(server.asked("/u")[0].header("authorization"), basic(format!("{SECRET}:{SECRET}")));
    assert_eq!(server.asked("/w")[0].header("authorization"), basic(format!("me:{SECRET}")));
    ran.errored(
        "host",
        FailureClass::Setup,
        "`${secret.key}` has characters that no host may have",
    );
    ran.errored("within", FailureClass::Setup, "within the host of `ws://a.${secret.key}:1/x`");
    ran.errored("nothing", FailureClass::Setup, "`${secret.key}` is not an address");
    shows_nothing(&ran.stored());
}

#[tokio::test]
async fn what_was_captured_is_a_component_or_where_to_go() {
    let server = Server::start(echo).await;
    let ran = run_secretly(
        server.port,
        r#"
- id: captured
  steps:
    - http: { url: "${base}/login" }
      capture: { session_token: json $.token, id: json $.id, next: json $.next }
    - http: { url: "${base}/i/${id}/x" }
      expect: { status: 418 }
    - http: { url: "${base}${next}" }
      expect: { status: 418 }
    - http: { url: "${base}/k/${session_token}" }
"#,
    )
    .await;
    for path in ["/i/a%2Fb%20c/x", "/items?page=2&n=1", &format!("/k/{ENCODED}")] {
        assert_eq!(server.asked(path).len(), 1, "{path} was not asked: {}", ran.stored());
    }
    assert_eq!(ran.failure("captured").class, FailureClass::HttpStatus);
    shows_nothing(&ran.stored());
}

#[tokio::test]
async fn a_login_and_an_address_that_is_a_secret_show_nothing() {
    let server = Server::start(echo).await;
    let url = format!("http://127.0.0.1:{}/hook/{ENCODED}#Zx8", server.port);
    let text = format!(
        "{}suite:\n  retries: 0\n  cases:\n    - id: whole\n      steps: [{{ http: {{ url: \"${{secret.key}}\" }} }}]\n",
        head(server.port)
    );
    let running = Running { key: url, ..Running::default() };
    let ran = run_with(pipeline(&text, &[]), running).await;
    assert_eq!(server.asked(&format!("/hook/{ENCODED}")).len(), 1);
    let repro = ran.failure("whole").repro.clone().unwrap_or_default();
    assert_eq!(repro, "curl -sS -i \"$SECRET_KEY\"");
    shows_nothing(&ran.stored());

    let text = format!(
        "{}identities:\n  bob: {{ login: {{ http: {{ method: POST, url: \"${{base}}/in/${{secret.key}}\" }}, token: json $.token }} }}\n\
         suite:\n  retries: 0\n  cases:\n    - id: bob\n      steps: [{{ http: {{ url: \"${{base}}/x\", bearer: \"${{identity.bob.token}}\" }} }}]\n",
        head(server.port)
    );
    let running = Running { key: SECRET.to_owned(), ..Running::default() };
    let ran = run_with(pipeline(&text, &[]), running).await;
    assert_eq!(server.asked(&format!("/in/{ENCODED}")).len(), 1, "{}", ran.stored());
    ran.errored("bob", FailureClass::Setup, "its login failed");
    shows_nothing(&ran.stored());
}
