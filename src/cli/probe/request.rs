//! The flags of a probe as a case of one step.

use std::time::Duration;

use anyhow::Context as _;

use crate::cli::args::{Header, ProbeArgs};
use crate::cli::error::CliError;
use crate::domain::names::CaseId;
use crate::domain::spec::{
    Action, Body, Case, CaseGroup, Condition, EventName, EventsExpect, Expect, HttpRequest,
    JsonPath, Matcher, Priority, Shape, SseRequest, Step, TlsOptions, WsMessage, WsOpen, WsStep,
};
use crate::domain::template::{JsonTemplate, Template};

/// Schemes that Andon speaks.
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// Whether a target is an address, and not a file.
///
/// # Errors
/// For an address that cannot be one, or of a scheme that Andon does not speak.
pub(super) fn is_address(target: &str) -> Result<bool, CliError> {
    let Some((scheme, _)) = target.split_once("://") else { return Ok(false) };
    if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
        let error = CliError::usage_text(format_args!("{scheme}:// is nothing that can be probed"));
        return Err(error.hint("an address begins with http://, https://, ws:// or wss://"));
    }
    url::Url::parse(target)
        .with_context(|| format!("{target} is no address"))
        .map_err(CliError::usage)?;
    Ok(true)
}

fn is_socket(target: &str) -> bool {
    target.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("ws"))
}

/// Flags that a target has no use for are a slip: a probe that ignored them would mislead.
fn refuse_contradictions(args: &ProbeArgs) -> Result<(), CliError> {
    let (what, flags) = if is_socket(&args.target) {
        let flags = [
            (args.method.is_some(), "--method"),
            (args.sse, "--sse"),
            (args.follow.is_some(), "--follow"),
        ];
        ("a WebSocket", flags.to_vec())
    } else {
        let events = !args.sse && !args.expect_event.is_empty();
        let flags = [
            (!args.subprotocol.is_empty(), "--subprotocol"),
            (events, "--expect-event without --sse"),
        ];
        ("an HTTP request", flags.to_vec())
    };
    refuse(&flags, what)
}

/// A suite file says all that there is to say about its steps.
pub(super) fn refuse_flags_beside_a_file(args: &ProbeArgs) -> Result<(), CliError> {
    let flags = [
        (args.method.is_some(), "--method"),
        (!args.headers.is_empty(), "--header"),
        (!args.data.is_empty(), "--data"),
        (!args.subprotocol.is_empty(), "--subprotocol"),
        (!args.expect_event.is_empty(), "--expect-event"),
        (args.expect_status.is_some(), "--expect-status"),
        (args.sse, "--sse"),
        (args.follow.is_some(), "--follow"),
        (args.insecure, "--insecure"),
    ];
    refuse(&flags, "a suite file")
}

fn refuse(flags: &[(bool, &str)], what: &str) -> Result<(), CliError> {
    match flags.iter().find(|(given, _)| *given) {
        Some((_, flag)) => {
            Err(CliError::usage_text(format_args!("{flag} does not go with {what}"))
                .hint("`andon probe --help` has examples"))
        }
        None => Ok(()),
    }
}

/// A case of one step, as the command line describes it.
pub(super) fn group_of(args: &ProbeArgs) -> Result<CaseGroup, CliError> {
    refuse_contradictions(args)?;
    let timeout = args.timeout;
    let step = Step {
        name: "probe".to_owned(),
        action: action_of(args),
        expect: expect_of(args, timeout)?,
        capture: vec![],
        eventually: None,
        timeout: None,
    };
    let case = Case {
        id: CaseId::parse("probe").map_err(CliError::defect)?,
        was: vec![],
        name: "probe".to_owned(),
        area: None,
        priority: Priority::P1,
        owner: None,
        impact: None,
        timeout,
        needs: vec![],
        shape: Shape::Once,
        latency: vec![],
        steps: vec![step],
        digest: String::new(),
    };
    Ok(CaseGroup { file: "probe".into(), setup: vec![], teardown: vec![], cases: vec![case] })
}

fn headers_of(args: &ProbeArgs) -> Vec<(String, Template)> {
    let header = |header: &Header| (header.name.clone(), Template::literal(&header.value));
    args.headers.iter().map(header).collect()
}

fn action_of(args: &ProbeArgs) -> Action {
    if is_socket(&args.target) {
        return Action::Ws(Box::new(WsStep {
            session: None,
            open: Some(open_of(args)),
            send: args.data.iter().map(|text| WsMessage::Text(Template::literal(text))).collect(),
            close: None,
        }));
    }
    let request = request_of(args);
    if args.sse {
        Action::Sse(Box::new(SseRequest { request }))
    } else {
        Action::Http(Box::new(request))
    }
}

fn open_of(args: &ProbeArgs) -> WsOpen {
    WsOpen {
        url: Template::literal(&args.target),
        headers: headers_of(args),
        subprotocols: args.subprotocol.iter().map(|name| Template::literal(name)).collect(),
        tls: TlsOptions { insecure: args.insecure, ca: None },
    }
}

fn request_of(args: &ProbeArgs) -> HttpRequest {
    let body =
        (!args.data.is_empty()).then(|| Body::Text(Template::literal(&args.data.join("\n"))));
    let method = args.method.as_deref().unwrap_or(if body.is_some() { "POST" } else { "GET" });
    HttpRequest {
        method: method.to_ascii_uppercase(),
        url: Template::literal(&args.target),
        headers: headers_of(args),
        query: vec![],
        body,
        follow: args.follow.unwrap_or(0),
        basic: None,
        bearer: None,
        tls: TlsOptions { insecure: args.insecure, ca: None },
        http2: false,
    }
}

/// What must hold: what the flags say, and what any step expects without a status: 2xx, or an open
/// socket.
fn expect_of(args: &ProbeArgs, timeout: Duration) -> Result<Expect, CliError> {
    let equals = |status: u16| Condition::Equals(JsonTemplate::Plain(status.into()));
    let status = args.expect_status.map(|status| Matcher { conditions: vec![equals(status)] });
    let by = match args.by.as_deref().unwrap_or(if args.sse { "event" } else { "$.type" }) {
        "event" => EventName::SseEvent,
        path => {
            let parsed = JsonPath::parse(path).with_context(|| format!("--by {path}"));
            EventName::Json(parsed.map_err(CliError::usage)?)
        }
    };
    let events = (!args.expect_event.is_empty()).then(|| EventsExpect {
        by,
        within: timeout,
        ordered: true,
        all: args.expect_event.iter().map(|name| Template::literal(name)).collect(),
        none: vec![],
        filter: vec![],
    });
    Ok(Expect { status, events, ..Expect::default() })
}
