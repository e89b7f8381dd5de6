//! What stands around every page: its title, where it is, who reads it, and what was just done.

use serde::Serialize;

use crate::pipeline::Role;
use crate::web::access::word;
use crate::web::call::Call;

/// The frame of a page.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    title: String,
    crumbs: Vec<Crumb>,
    who: Who,
    version: &'static str,
    /// What a form that led here did.
    said: Option<&'static str>,
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

/// What a form did, by the word that it left in the address: never text of the address itself, with
/// which somebody could put words into our mouth.
fn said(query: Option<&str>) -> Option<&'static str> {
    let done = url::form_urlencoded::parse(query?.as_bytes()).find(|(name, _)| name == "done")?.1;
    match done.as_ref() {
        "started" => Some("A cycle was asked for. It starts as soon as its environment is free."),
        "cancelled" => Some("The cycle comes to a safe point and ends."),
        "dropped" => Some("What waited starts no cycle."),
        "saved" => Some(
            "Saved. The next report shows it beside the failure, as long as the failure lives.",
        ),
        "merged" => {
            Some("Saved, together with what others changed meanwhile: look at it once more.")
        }
        "closed" => Some("Closed. It reopens by itself when its failure comes back."),
        "unchanged" => Some("There was nothing to save."),
        "resumed" => Some("The cycle goes on."),
        _ => None,
    }
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
    }
}
