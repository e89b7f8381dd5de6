//! The templates, and what they can do beyond showing text: times, durations, sizes, paths.

use std::sync::OnceLock;

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, SET_COOKIE,
};
use jiff::Timestamp;
use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::assets;
use super::frame::Frame;
use crate::report::words;

/// Nothing but what we serve ourselves, and no script or style within a page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("templates/base.html")),
    ("macros.html", include_str!("templates/macros.html")),
    ("overview.html", include_str!("templates/overview.html")),
    ("pipeline.html", include_str!("templates/pipeline.html")),
    ("cycle.html", include_str!("templates/cycle.html")),
    ("progress.html", include_str!("templates/progress.html")),
    ("rows.html", include_str!("templates/rows.html")),
    ("evidence.html", include_str!("templates/evidence.html")),
    ("case.html", include_str!("templates/case.html")),
    ("log.html", include_str!("templates/log.html")),
    ("document.html", include_str!("templates/document.html")),
    ("investigation.html", include_str!("templates/investigation.html")),
    ("editor.html", include_str!("templates/editor.html")),
    ("edit.html", include_str!("templates/edit.html")),
    ("fields.html", include_str!("templates/fields.html")),
    ("clash.html", include_str!("templates/clash.html")),
    ("audit.html", include_str!("templates/audit.html")),
    ("login.html", include_str!("templates/login.html")),
    ("problem.html", include_str!("templates/problem.html")),
];

/// What a template is given: the frame around every page, and the page's own.
#[derive(Serialize)]
struct Whole<'a, T> {
    #[serde(flatten)]
    frame: &'a Frame,
    #[serde(flatten)]
    own: &'a T,
}

/// A page.
pub(super) fn page(
    status: StatusCode,
    template: &str,
    frame: &Frame,
    own: &impl Serialize,
) -> Response {
    let given = Value::from(Serde(&Whole { frame, own }));
    let rendered = environment().get_template(template).and_then(|it| it.render(given));
    let (status, html) = match rendered {
        Ok(html) => (status, html),
        Err(fault) => {
            tracing::error!("the template {template} cannot be filled in: {fault:#}");
            let sorry = "<!doctype html><title>Andon</title><p>This page cannot be shown; the log of the daemon says why.";
            (StatusCode::INTERNAL_SERVER_ERROR, sorry.to_owned())
        }
    };
    let mut response = (status, headers(), html).into_response();
    if let Some(cookie) = frame.cookie().and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// A part of a page, for a script to put into it.
pub(super) fn fragment(template: &str, own: &impl Serialize) -> Response {
    page(StatusCode::OK, template, &Frame::bare(""), own)
}

fn headers() -> [(HeaderName, &'static str); 3] {
    // With `no-referrer` a browser would hide from us that it is our own form that it sends.
    [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
    ]
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            environment.add_template(name, source).expect("tests read every template");
        }
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
        environment.add_filter("when", |at: Option<String>| Value::from_safe_string(when(at)));
        environment.add_filter("duration", words::duration);
        environment.add_filter("micros", words::micros);
        environment.add_filter("bytes", words::bytes);
        environment
            .add_filter("words", |text: Option<String>| text.unwrap_or_default().replace('_', " "));
        environment.add_filter("path", |id: String| super::case::in_address(&id));
        environment.add_filter("query", |text: String| {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
        });
        environment.add_filter("short", shortened);
        environment.add_function("names", choices);
        environment.add_function("asset", |name: String| assets::address(&name));
        environment
    })
}

/// `2026-11-23 14:07 UTC`; a script puts it into the reader's own zone.
fn when(at: Option<String>) -> String {
    let Some(at) = at.and_then(|at| at.parse::<Timestamp>().ok()) else { return String::new() };
    let exact = words::instant(at);
    let short = at.strftime("%Y-%m-%d %H:%M UTC");
    format!(
        "<time datetime=\"{}\" title=\"{exact}\">{short}</time>",
        at.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
}

/// What a filter offers: all, and each of these words.
fn choices(words: Vec<String>) -> Vec<[String; 2]> {
    let all = ["", "all"].map(str::to_owned);
    std::iter::once(all).chain(words.into_iter().map(|word| [word.clone(), word])).collect()
}

fn shortened(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_one() {
        for (name, _) in TEMPLATES {
            assert!(environment().get_template(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn times_are_for_machines_and_people() {
        let html = when(Some("2026-11-23T14:07:31.25Z".to_owned()));
        assert_eq!(
            html,
            "<time datetime=\"2026-11-23T14:07:31Z\" title=\"2026-11-23 14:07:31 UTC\">2026-11-23 14:07 UTC</time>"
        );
        assert_eq!(when(None), "");
        assert_eq!(when(Some("<script>".to_owned())), "", "what is no time is not shown as one");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü".to_owned(), 2), "äö…");
        assert_eq!(shortened("äöü".to_owned(), 3), "äöü");
    }
}
