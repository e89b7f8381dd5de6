//! Markdown of reports and investigations as HTML: rendered, made harmless, and its links turned to the
//! pages that show what the files hold.

use std::borrow::Cow;

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

/// Where the links of a document lead.
pub(super) struct Place<'a> {
    /// The page of its pipeline.
    pub(super) pipeline: &'a str,
}

/// The document as HTML. What it holds was written by others, too: scripts, styles, forms, frames and
/// foreign pictures do not survive.
pub(super) fn html(markdown: &str, place: &Place<'_>) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let mut pictures = Vec::new();
    let events =
        Parser::new_ext(markdown, options).map(|event| turned(event, place, &mut pictures));
    let mut html = String::with_capacity(markdown.len() * 2);
    pulldown_cmark::html::push_html(&mut html, events);
    ammonia::Builder::default()
        .add_tags(["details", "summary", "input"])
        .add_tag_attributes("details", ["open"])
        .add_tag_attributes("input", ["type", "checked", "disabled"])
        .set_tag_attribute_value("input", "disabled", "")
        .set_tag_attribute_value("input", "type", "checkbox")
        // Pictures come from here alone: the pages ask nobody else for anything.
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("img", "src") if !value.starts_with('/') || value.starts_with("//") => None,
            _ => Some(Cow::Borrowed(value)),
        })
        // What is wider than the page is scrolled, with a keyboard too.
        .set_tag_attribute_value("pre", "tabindex", "0")
        .set_tag_attribute_value("table", "tabindex", "0")
        .url_schemes(["http", "https", "mailto"].into())
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean(&html)
        .to_string()
        // The corner of a table is the head of nothing.
        .replace("<th></th>", "<td></td>")
}

/// `pictures` holds of each picture that is not over whether it is shown: one from elsewhere is a link to it.
fn turned<'e>(event: Event<'e>, place: &Place<'_>, pictures: &mut Vec<bool>) -> Event<'e> {
    match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = address(&dest_url, place).map_or(dest_url, CowStr::from);
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let ours = address(&dest_url, place);
            pictures.push(ours.is_some());
            Event::Start(match ours {
                Some(ours) => Tag::Image { link_type, dest_url: ours.into(), title, id },
                None => Tag::Link { link_type: LinkType::Inline, dest_url, title, id },
            })
        }
        Event::End(TagEnd::Image) if pictures.pop() == Some(false) => Event::End(TagEnd::Link),
        other => other,
    }
}

/// The page that shows a file of the report folder; `None` where no page does.
fn address(to: &str, place: &Place<'_>) -> Option<String> {
    let pipeline = place.pipeline;
    let (file, fragment) = match to.split_once('#') {
        Some((file, fragment)) => (file, format!("#{fragment}")),
        None => (to, String::new()),
    };
    let file = file.trim_start_matches("../").trim_start_matches("./");
    if file == "README.md" {
        return Some(pipeline.to_owned());
    }
    let number = |text: &str| text.parse::<u32>().ok();
    if let Some(svg) = file.strip_prefix("charts/trend-") {
        let cycle = number(svg.strip_suffix(".svg")?)?;
        return Some(format!("{pipeline}/cycles/{cycle}/trend.svg"));
    }
    if let Some(cycle) = file.strip_prefix("cycle-") {
        let (cycle, form) = cycle.split_once('.')?;
        let cycle = number(cycle)?;
        return match form {
            "md" => Some(format!("{pipeline}/cycles/{cycle}/report{fragment}")),
            "json" => Some(format!("/api/v1{pipeline}/cycles/{cycle}")),
            _ => None,
        };
    }
    let document = file.strip_prefix("investigations/").unwrap_or(file);
    if document.starts_with("INV-") && document.ends_with(".md") {
        let id: String = document.split('-').take(2).collect::<Vec<_>>().join("-");
        return Some(format!("{pipeline}/investigations/{id}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { pipeline: "/pipelines/chat" };

    #[test]
    fn links_lead_to_pages() {
        let to = |link| address(link, &PLACE);
        assert_eq!(to("cycle-0004.md").as_deref(), Some("/pipelines/chat/cycles/4/report"));
        assert_eq!(
            to("../cycle-0004.md#whys").as_deref(),
            Some("/pipelines/chat/cycles/4/report#whys")
        );
        assert_eq!(to("cycle-0004.json").as_deref(), Some("/api/v1/pipelines/chat/cycles/4"));
        assert_eq!(
            to("charts/trend-0004.svg").as_deref(),
            Some("/pipelines/chat/cycles/4/trend.svg")
        );
        assert_eq!(
            to("investigations/INV-0001-get-cart.md").as_deref(),
            Some("/pipelines/chat/investigations/INV-0001")
        );
        assert_eq!(to("README.md").as_deref(), Some("/pipelines/chat"));
        assert_eq!(to("https://example.com/cycle-0004.md"), None);
        assert_eq!(to("#failures"), None);
    }

    #[test]
    fn nothing_of_others_runs() {
        let hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\n\n[x](javascript:alert(1))\n\n\
             <details open ontoggle=alert(1)><summary>s</summary>body</details>\n\n<form action=//evil><input name=q></form>\n\n\
             <style>*{display:none}</style><iframe src=//evil></iframe><svg onload=alert(1)>";
        let html = html(hostile, &PLACE);
        for harm in [
            "<script",
            "onerror",
            "ontoggle",
            "onload",
            "javascript:",
            "<form",
            "<style",
            "<iframe",
            "<svg",
            "name=",
        ] {
            assert!(!html.contains(harm), "{harm}: {html}");
        }
        assert!(html.contains("<details open=\"\"><summary>s</summary>"), "{html}");
    }

    #[test]
    fn pictures_of_others_are_links() {
        let text = "![seen *here*](http://evil.example/x.png) ![trend](charts/trend-0004.svg) <img alt=a src=//evil/y.png>";
        let html = html(text, &PLACE);
        assert!(html.contains(">seen <em>here</em></a>") && !html.contains("src=\"http"), "{html}");
        assert!(html.contains("<img src=\"/pipelines/chat/cycles/4/trend.svg\""), "{html}");
        assert!(!html.contains("//evil/"), "{html}");
    }

    #[test]
    fn tables_and_tasks_are_rendered() {
        let html = html("| | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n", &PLACE);
        assert!(html.contains("<table tabindex=\"0\">") && html.contains("<td>1</td>"), "{html}");
        assert!(!html.contains("<th></th>") && html.contains("<th>b</th>"), "{html}");
        assert!(html.contains("type=\"checkbox\"") && html.contains("checked"), "{html}");
    }
}
