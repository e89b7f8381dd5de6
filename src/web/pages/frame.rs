//! What stands around every page: its title, where it is, who reads it, and what was just done.

use std::borrow::Cow;

use http::header::COOKIE;
use serde::Serialize;

use super::investigation::listed;
use super::login::word_of;
use crate::investigation::Lost;
use crate::pipeline::Role;
use crate::web::access::word;
use crate::web::call::Call;

/// A document has no more parts than this.
const MAX_PARTS: usize = 20;
/// The cookie that says to a browser's next page what its form did.
const MARKER: &str = "andon_done";
/// So many seconds it waits for that page.
const WAITS: u32 = 60;

/// The frame of a page.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    title: String,
    crumbs: Vec<Crumb>,
    who: Who,
    version: &'static str,
    /// What a form that led here did.
    said: Option<Said>,
    /// The cookie that ends the marker of that, so that it is said once.
    #[serde(skip)]
    unmarks: Option<String>,
    /// Where the events are that this page follows.
    live: Option<String>,
    /// Shown on a screen that nobody sits at.
    wall: bool,
}

/// A step on the way from the first page to this one.
#[derive(Debug, Serialize)]
pub(super) struct Crumb {
    text: String,
    href: Option<String>,
}

/// What a form did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Said {
    word: String,
    text: Cow<'static, str>,
}

/// Who reads, and what they may do.
#[derive(Debug, Default, Serialize)]
struct Who {
    name: Option<String>,
    role: &'static str,
    trigger: bool,
    admin: bool,
    form_key: String,
}

impl Frame {
    /// A page that this call asked for.
    pub(super) fn of(call: &Call, title: impl Into<String>) -> Self {
        let caller = call.caller.as_ref();
        let may = |role| caller.is_some_and(|caller| caller.may(role));
        let who = Who {
            name: caller.and_then(|caller| caller.token.clone()),
            role: caller.map_or("", |caller| word(caller.role())),
            trigger: may(Role::Trigger),
            admin: may(Role::Admin),
            form_key: call.form_key.clone(),
        };
        let marked = word_of(MARKER, call.parts.headers.get_all(COOKIE));
        let said = said(call.parts.uri.query(), marked);
        let unmarks = said.as_ref().map(|_| cookie(call.parts.uri.path(), "", 0));
        Self { who, said, unmarks, ..Self::bare(title) }
    }

    /// A cookie to be sent with the page.
    pub(super) fn cookie(&self) -> Option<&str> {
        self.unmarks.as_deref()
    }

    /// A page for somebody who is not known.
    pub(super) fn bare(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            crumbs: Vec::new(),
            who: Who::default(),
            version: env!("CARGO_PKG_VERSION"),
            said: None,
            unmarks: None,
            live: None,
            wall: false,
        }
    }

    /// The way to it.
    #[must_use]
    pub(super) fn under(mut self, steps: &[(&str, &str)]) -> Self {
        let step = |(text, href): &(&str, &str)| Crumb {
            text: (*text).to_owned(),
            href: (!href.is_empty()).then(|| (*href).to_owned()),
        };
        self.crumbs = steps.iter().map(step).collect();
        self
    }

    /// It is kept up to date by these events.
    #[must_use]
    pub(super) fn following(mut self, events: String) -> Self {
        self.live = Some(events);
        self
    }

    /// It is read from afar.
    #[must_use]
    pub(super) fn on_wall(mut self, wall: bool) -> Self {
        self.wall = wall;
        self
    }
}

/// A cookie for the page of this path, that a form leads to after it did what the word says.
pub(super) fn marker(path: &str, word: &str) -> String {
    cookie(path, word, WAITS)
}

fn cookie(path: &str, word: &str, seconds: u32) -> String {
    format!("{MARKER}={word}; Path={path}; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

/// What a form did, by the word that it left in the address: never text of the address itself, with
/// which somebody could put words into our mouth. And only in the browser that sent the form, once: an
/// address is handed on, and loaded again.
fn said(query: Option<&str>, marked: Option<&str>) -> Option<Said> {
    let query = query?.as_bytes();
    let find = |wanted: &str| {
        url::form_urlencoded::parse(query).find(|(name, _)| name == wanted).map(|found| found.1)
    };
    let done = find("done")?;
    let word = marked.filter(|marked| *marked == done)?;
    let parts = find("parts").unwrap_or_default();
    Some(Said { word: word.to_owned(), text: text_of(word, &parts)? })
}

/// What there is to say, of these parts of a document.
fn text_of(done: &str, parts: &str) -> Option<Cow<'static, str>> {
    let parts =
        || listed(&parts.split(',').filter_map(Lost::parse).take(MAX_PARTS).collect::<Vec<_>>());
    let says = match done {
        "mended" => {
            return Some(Cow::Owned(format!(
                "Saved. The text had lost parts that are Andon's own, and they stand there again: {}. What the edit took \
                 out of the words of people is below, among the edits.",
                parts()
            )));
        }
        "mended_merged" => {
            return Some(Cow::Owned(format!(
                "Saved, together with what others changed meanwhile: look at it once more. The text had lost parts that \
                 are Andon's own, and they stand there again: {}. What changed in the words of people is below, among \
                 the edits.",
                parts()
            )));
        }
        "kept" => {
            return Some(Cow::Owned(format!(
                "There was nothing to save: what the text had lost is Andon's own, and stays: {}.",
                parts()
            )));
        }
        "started" => "A cycle was asked for. It starts as soon as its environment is free.",
        "cancelled" => "The cycle comes to a safe point and ends.",
        "dropped" => "What waited starts no cycle.",
        "saved" => {
            "Saved. The next report shows it beside the failure, as long as the failure lives."
        }
        "merged" => "Saved, together with what others changed meanwhile: look at it once more.",
        "closed" => "Closed. It reopens by itself when its failure comes back.",
        "unchanged" => "There was nothing to save.",
        "resumed" => "The cycle goes on.",
        _ => return None,
    };
    Some(Cow::Borrowed(says))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_put_words_into_our_mouth() {
        let says = |query, marked| said(Some(query), marked).map(|said| said.word);
        assert_eq!(says("done=started", Some("started")).as_deref(), Some("started"));
        assert_eq!(says("x=1&done=cancelled", Some("cancelled")).as_deref(), Some("cancelled"));
        assert_eq!(says("done=started", None), None, "nobody here did it");
        assert_eq!(says("done=started", Some("saved")), None);
        let hostile = "Send your token to me";
        assert_eq!(says("done=Send+your+token+to+me", Some(hostile)), None);
        assert_eq!(said(None, Some("started")), None);
        let query = Some("done=mended&parts=head,Send+your+token,why-2");
        let named = said(query, Some("mended")).map(|said| said.text).unwrap_or_default();
        assert!(named.contains("again: the title, why 2. What"), "{named}");
    }

    #[test]
    fn a_draft_is_forgotten_by_every_word_that_says_that_it_is_saved() {
        let (_, drafts) =
            include_str!("assets/andon.js").split_once("function drafts()").unwrap_or_default();
        for word in ["saved", "merged", "mended", "mended_merged", "kept", "unchanged"] {
            assert!(text_of(word, "notes").is_some(), "{word}");
            assert!(drafts.contains(&format!("\"{word}\"")), "{word}");
        }
    }
}
