//! Who a test acts as: minted and fetched tokens, and what happens when there is none.

use std::collections::HashSet;

use andon::domain::failure::FailureClass;

use crate::kit::{head, pipeline, run_with};
use crate::server::{Asked, Reply, Server, json};

fn service(asked: Asked) -> Reply {
    match asked.path.as_str() {
        "/login" => json(200, &format!(r#"{{"access_token": "login-token-{}"}}"#, asked.times)),
        "/short-login" => {
            json(200, &format!(r#"{{"access_token": "short-token-{}"}}"#, asked.times))
        }
        "/closed" => json(401, "{}"),
        "/down" => json(503, "{}"),
        "/whoami" if asked.header("authorization").is_empty() => json(401, "{}"),
        "/whoami" => json(200, &format!(r#"{{"auth": "{}"}}"#, asked.header("authorization"))),
        _ => json(403, r#"{"error": "forbidden"}"#),
    }
}

const IDENTITIES: &str = r#"
identities:
  ann: { jwt: { algorithm: HS256, key: "${secret.key}", claims: { sub: ann }, expires_in: 15m } }
  old: { jwt: { algorithm: HS512, key: "${secret.key}", claims: { sub: old }, expires_in: -1h } }
  bob: { login: { http: { method: POST, url: "${base}/login", json: { user: bob } }, token: json $.access_token } }
  eve: { login: { http: { method: POST, url: "${base}/closed", json: {} }, token: json $.access_token } }
  down: { login: { http: { url: "${base}/down" }, token: json $.access_token } }
  short: { login: { http: { url: "${base}/short-login" }, token: json $.access_token, expires_in: 1ms } }
"#;

async fn run(port: u16, cases: &str) -> crate::kit::Ran {
    let cases = cases.replace('\n', "\n    ");
    let text = format!(
        "{}{IDENTITIES}suite:\n  concurrency: 8\n  retries: 0\n  cases:\n    {cases}\n",
        head(port)
    );
    run_with(pipeline(&text, &[]), Default::default()).await
}

#[tokio::test]
async fn tokens_are_minted_and_fetched_once() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: minted
  steps:
    - http: { url: "${base}/whoami", headers: { Authorization: "Bearer ${identity.ann.token}" } }
      expect: { json: { $.auth: { matches: "^Bearer [A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$" } } }
- id: fetched
  parallel: { times: 20, quorum: 20 }
  steps:
    - http: { url: "${base}/whoami", bearer: "${identity.bob.token}" }
      expect: { json: { $.auth: "Bearer login-token-1" } }
- id: expired_is_still_a_token
  steps: [{ http: { url: "${base}/whoami", bearer: "${identity.old.token}" } }]
"#,
    )
    .await;
    for case in ["minted", "fetched", "expired_is_still_a_token"] {
        ran.passed(case);
    }
    assert_eq!(server.asked("/login").len(), 1, "twenty waited for one login");
    let stored = ran.stored();
    let tokens: HashSet<String> = server
        .asked("/whoami")
        .iter()
        .map(|asked| asked.header("authorization").trim_start_matches("Bearer ").to_owned())
        .collect();
    assert_eq!(tokens.len(), 3);
    for token in tokens {
        assert!(!stored.contains(&token), "the token {token} shows");
    }
}

#[tokio::test]
async fn a_token_is_fetched_afresh_before_it_expires() {
    let server = Server::start(service).await;
    let step = "    - http: { url: \"${base}/whoami\", bearer: \"${identity.short.token}\" }\n";
    let ran = run(
        server.port,
        &format!("- id: a\n  repeat: {{ times: 3, every: 5ms }}\n  steps:\n{step}"),
    )
    .await;
    ran.passed("a");
    assert_eq!(server.asked("/short-login").len(), 3);
}

#[tokio::test]
async fn an_identity_that_cannot_be_had_is_not_the_services_failure() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: refused
  steps: [{ http: { url: "${base}/whoami", bearer: "${identity.eve.token}" } }]
- id: down
  steps: [{ http: { url: "${base}/whoami", bearer: "${identity.down.token}" } }]
- id: others_go_on
  steps: [{ http: { url: "${base}/whoami", bearer: "${identity.ann.token}" } }]
"#,
    )
    .await;
    ran.errored("refused", FailureClass::Auth, "identity `eve`: its login failed");
    ran.errored("down", FailureClass::Setup, "identity `down`: its login failed");
    ran.passed("others_go_on");
}

#[tokio::test]
async fn a_good_identity_that_is_refused_is_auth() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: refused
  steps: [{ http: { url: "${base}/forbidden", bearer: "${identity.ann.token}" }, expect: { status: 200 } }]
- id: anonymous
  steps: [{ http: { url: "${base}/forbidden" }, expect: { status: 200 } }]
- id: meant
  steps: [{ http: { url: "${base}/forbidden", bearer: "${identity.old.token}" }, expect: { status: [401, 403] } }]
"#,
    )
    .await;
    ran.failed("refused", FailureClass::Auth, "expected status 200, got 403");
    ran.failed("anonymous", FailureClass::HttpStatus, "expected status 200, got 403");
    ran.passed("meant");
    let repro = ran.failure("refused").repro.as_deref().unwrap_or_default();
    assert!(repro.contains("'authorization: Bearer '\"$IDENTITY_ANN_TOKEN\""), "{repro}");
}
