//! What stands around every page: its title, where it is, who reads it, and what was just done.

use std::borrow::Cow;

use serde::Serialize;

use super::investigation::listed;
use crate::investigation::Lost;
use crate::pipeline::Role;
use crate::web::access::word;
use crate::web::call::Call;

/// A document has no more parts than this.
const MAX_PARTS: usize = 20;

/// The frame of a page.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    title: String,
    crumbs: Vec<Crumb>,
    who: Who,
    version: &'static str,
    /// What a form that led here did.
    said: Option<Cow<'static, str>>,
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
        Self { who, said: said(call.parts.uri.query()), ..Self::bare(title) }
    }

    /// A page for somebody who is not known.
    pub(super) fn bare(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            crumbs: Vec::new(),
            who: Who::default(),
            version: env!("CARGO_PKG_VERSION"),
            said: None,
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

/// What a form did, by the words that it left in the address: never text of the address itself, with
/// which somebody could put words into our mouth.
fn said(query: Option<&str>) -> Option<Cow<'static, str>> {
    let query = query?.as_bytes();
    let find = |wanted: &str| {
        url::form_urlencoded::parse(query).find(|(name, _)| name == wanted).map(|found| found.1)
    };
    let parts = || {
        let named = find("parts").unwrap_or_default();
        listed(&named.split(',').filter_map(Lost::parse).take(MAX_PARTS).collect::<Vec<_>>())
    };
    let says = match find("done")?.as_ref() {
        "mended" => {
            return Some(Cow::Owned(format!(
                "Saved. The text had lost parts that are Andon's own, and they stand there again: {}. What the edit took \
                 out of the words of people is below, among the edits.",
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
        assert!(said(Some("done=started")).is_some());
        assert!(said(Some("x=1&done=cancelled")).is_some());
        assert_eq!(said(Some("done=Send+your+token+to+me")), None);
        assert_eq!(said(None), None);
        let named = said(Some("done=mended&parts=head,Send+your+token,why-2")).unwrap_or_default();
        assert!(named.contains("again: the title, why 2. What"), "{named}");
    }
}
