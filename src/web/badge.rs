//! The newest verdict of a pipeline as a picture, for a README. It tells that one word and needs no
//! token, because pages that show pictures send none.

use axum::response::IntoResponse as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::call::{Answer, Call};
use super::problem::Problem;
use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;
use crate::store::Which;

/// The width of a letter, in tenths of a pixel: Verdana at 11 px, and the letters of a name are
/// narrow and wide in turn.
const LETTER: usize = 68;

/// `GET /badge/{pipeline}.svg`
pub(super) async fn badge(call: Call) -> Answer {
    let absent = || Problem::not_found("a badge is `/badge/PIPELINE.svg`");
    let name = call.parameter("file").strip_suffix(".svg").ok_or_else(absent)?;
    let name = PipelineName::parse(name).map_err(|_| absent())?;
    let newest = call.site.store().find_cycle(&name, Which::LatestAnswer).await?;
    let verdict = newest.and_then(|row| row.summary.verdict);
    let headers = [(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, render(name.as_str(), verdict)).into_response())
}

/// The picture. A name holds nothing but letters, digits and hyphens.
fn render(name: &str, verdict: Option<Verdict>) -> String {
    let (word, color) = look_of(verdict);
    let width = |text: &str| text.len() * LETTER / 10 + 12;
    let (left, right) = (width(name), width(word));
    let whole = left + right;
    let (at_left, at_right) = (left / 2, left + right / 2);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{name}: {word}"><title>{name}: {word}</title><rect width="{whole}" height="20" rx="3" fill="#444"/><path d="M{left} 0h{inner}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{left}z" fill="{color}"/><g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{at_left}" y="14">{name}</text><text x="{at_right}" y="14">{word}</text></g></svg>"##,
        inner = right - 3,
    )
}

/// White is readable on each of these colours (contrast at least 4.5).
fn look_of(verdict: Option<Verdict>) -> (&'static str, &'static str) {
    match verdict {
        Some(Verdict::Green) => ("green", "#1a7f37"),
        Some(Verdict::Red) => ("red", "#c6222e"),
        Some(Verdict::DeployFailed) => ("deploy failed", "#c6222e"),
        Some(Verdict::NotReady) => ("not ready", "#c6222e"),
        Some(Verdict::Incomplete) => ("incomplete", "#8a5a00"),
        Some(Verdict::Void) => ("void", "#8a5a00"),
        Some(Verdict::Superseded) => ("superseded", "#666"),
        Some(Verdict::Cancelled) => ("cancelled", "#666"),
        None => ("unknown", "#666"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_a_badge_that_says_it_in_words() {
        for verdict in Verdict::ALL {
            let svg = render("chat-staging", Some(*verdict));
            let word = verdict.as_str().replace('_', " ");
            assert!(svg.contains(&format!("<title>chat-staging: {word}</title>")), "{svg}");
        }
        assert!(render("x", None).contains("unknown"));
    }
}
