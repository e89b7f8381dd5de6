//! Logging in with a token, and out again. The cookie holds a random word and nothing else.

use axum::response::{IntoResponse as _, Response};
use http::header::{HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use http::{StatusCode, header::GetAll};
use serde::Serialize;

use super::frame::{Frame, marker};
use super::template;
use crate::pipeline::Role;
use crate::store::ActKind;
use crate::web::access::Refused;
use crate::web::acts::Done;
use crate::web::api::acting::By;
use crate::web::call::{Answer, Call};
use crate::web::guard;
use crate::web::routes::page_of_form;
use crate::web::sessions::{LIFE, random_word};

const COOKIE: &str = "andon_session";

#[derive(Serialize)]
struct Asked<'a> {
    next: &'a str,
    wrong: Option<&'a str>,
}

/// The page that asks for a token, in place of the one that needs it.
pub(super) fn ask_for_token(next: &str, wrong: Option<&str>, headers: HeaderMap) -> Response {
    let frame = Frame::bare("Log in");
    let mut page =
        template::page(StatusCode::UNAUTHORIZED, "login.html", &frame, &Asked { next, wrong });
    page.headers_mut().extend(headers);
    page
}

/// `GET /login`
pub(in crate::web) async fn page(_: Call) -> Answer {
    let asked = Asked { next: "/", wrong: None };
    Ok(template::page(StatusCode::OK, "login.html", &Frame::bare("Log in"), &asked))
}

/// `POST /login`
pub(in crate::web) async fn login(call: Call) -> Answer {
    let site = call.site.clone();
    let peer = guard::peer_of(&call.parts);
    let form = call.form_of_anybody().await?;
    let next = local(form.raw("next"));
    let access = site.access();
    let given = format!("Bearer {}", form.raw("token").trim());
    match access.admit(Some(given.as_bytes()), Role::Read) {
        Ok(caller) => {
            let word = random_word();
            tracing::info!("token {:?} opened a session", caller.token.as_deref().unwrap_or(""));
            By::caller(site.clone(), caller.clone()).did(None, session(ActKind::LogIn)).await;
            site.sessions().open(&word, caller, random_word(), site.now());
            Ok(to(&next, Some(&cookie(&word, LIFE.as_secs()))))
        }
        Err(refused) => {
            if let Some(problem) = guard::count_wrong_token(&site, peer, "/login") {
                return Err(problem);
            }
            let wrong = match refused {
                Refused::NoToken => "Enter a token.",
                Refused::UnknownToken => "That token is not known here.",
                Refused::Role { .. } => "That token may not read.",
            };
            Ok(ask_for_token(&next, Some(wrong), HeaderMap::new()))
        }
    }
}

/// `POST /logout`
pub(in crate::web) async fn logout(call: Call) -> Answer {
    let site = call.site.clone();
    let word = session_word(call.parts.headers.get_all(http::header::COOKIE)).map(str::to_owned);
    let by = By::of(&call);
    call.form().await?;
    if let Some(word) = word {
        site.sessions().close(&word);
        by.did(None, session(ActKind::LogOut)).await;
    }
    Ok(to("/", Some(&cookie("", 0))))
}

fn session(kind: ActKind) -> Done<'static> {
    Done { kind, to: None, detail: String::new() }
}

/// Another page to go on with.
fn to(address: &str, cookie: Option<&str>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let value = |text: &str| HeaderValue::from_str(text).ok();
    if let Some(address) = value(address) {
        response.headers_mut().insert(LOCATION, address);
    }
    if let Some(cookie) = cookie.and_then(value) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// The page to go on with after a form did something, which is told there once, to this browser (`frame::said`):
/// by a word, and more about it as the end of the address.
pub(super) fn done(page: &str, word: &str, more: &str) -> Response {
    to(&format!("{page}?done={word}{more}"), Some(&marker(page, word)))
}

/// The word of a session, among the cookies.
pub(in crate::web) fn session_word<'a>(cookies: GetAll<'a, HeaderValue>) -> Option<&'a str> {
    word_of(COOKIE, cookies)
}

/// The word of a cookie.
pub(super) fn word_of<'a>(name: &str, cookies: GetAll<'a, HeaderValue>) -> Option<&'a str> {
    let cookies = cookies.iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Scripts do not see it, and pages of others do not have it sent with their forms.
fn cookie(word: &str, seconds: i64) -> String {
    format!("{COOKIE}={word}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

/// Where a login leads: to a page of ours, or to the one that the form of an address stands on. Anything that is no
/// plain address within this site is the first page.
fn local(next: &str) -> String {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let climbs = |part: &str| part.replace("%2e", ".").replace("%2E", ".").starts_with("..");
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|byte| (0x21..0x7f).contains(&byte))
        && !path.split('/').any(climbs);
    if !is_ours {
        return "/".to_owned();
    }
    let page = page_of_form(path);
    if page == path { next.to_owned() } else { page.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        assert_eq!(local("/pipelines/chat?cycles=3"), "/pipelines/chat?cycles=3");
        for next in ["", "//evil.example", "/\\evil.example", "/a b", "/\r\nX: y", "/pipelines/.."]
        {
            assert_eq!(local(next), "/", "{next:?}");
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        let all = |headers: &HeaderMap| {
            session_word(headers.get_all(http::header::COOKIE)).map(str::to_owned)
        };
        assert_eq!(all(&headers), None);
        headers.append(http::header::COOKIE, "a=b; andon_session2=x".parse().unwrap());
        assert_eq!(all(&headers), None);
        headers.append(http::header::COOKIE, "c=d; andon_session=word; e=f".parse().unwrap());
        assert_eq!(all(&headers).as_deref(), Some("word"));
    }
}
