//! Investigations edited in pages: by one, by two at once, beside an editor on the machine, and in the next
//! report. What the script of the pages adds is not tried here.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use andon::domain::findings::InvestigationState;
use andon::domain::names::{Fingerprint, InvestigationId};
use andon::engine::{MAX_EDITED, keep_written};
use andon::investigation::{Document, Meta, Slot, mark_gone, render};
use andon::store::{DocumentKey, EditRow, NewInvestigation};

use crate::client::{Ask, Reply, get, send};
use crate::house::{ADMIN, House, READ, TRIGGER, all_tokens, house};
use crate::pages::{field, log_in};
use crate::program::{daemon, send_for_reply, state_of};
use crate::support::until;
use crate::unattended;

pub(crate) const HERE: &str = "/pipelines/chat/investigations/INV-0001";

/// A document as the tool writes it the first time.
pub(crate) fn fresh() -> String {
    let meta = Meta {
        id: InvestigationId::from_number(1),
        fingerprint: "v1-aabbccddeeff".to_owned(),
        state: InvestigationState::New,
        opened: 1,
        reopened: None,
        gone: None,
    };
    let lines = |slot: Slot| -> Vec<String> {
        let text = match slot {
            Slot::Head => "# INV-0001: GET /one answers 500",
            Slot::Seen => "## What was seen\n\nExpected 200, got 500.",
            Slot::Commits => "## Commits between",
            Slot::Why(2) => "### Why 2. Why does the endpoint answer with this status?",
            Slot::Why(3) => "### Why 3. What in the commits since leads to that?",
            Slot::Actions => "## Countermeasures",
            Slot::Notes => "## Notes",
            _ => "",
        };
        text.lines().map(str::to_owned).collect()
    };
    let tool: BTreeMap<Slot, Vec<String>> =
        Slot::all().filter(|slot| *slot != Slot::Top).map(|slot| (slot, lines(slot))).collect();
    render(&Document { meta: Some(meta), tool, ..Document::default() })
}

impl House {
    /// Gives the pipeline `chat` an investigation with this document.
    pub(crate) async fn with_document(self, text: &str) -> Self {
        let wanted = NewInvestigation {
            pipeline: self.name("chat"),
            fingerprint: Fingerprint::new(1, "aabbccddeeff"),
            slug: "get-one".to_owned(),
            cycle: 1,
            least: 1,
            adopts: None,
        };
        self.begin_cycle("chat").await;
        self.store.allocate_investigation(wanted).await.unwrap();
        fs::create_dir_all(self.document().parent().unwrap()).unwrap();
        self.leave(text);
        self
    }

    pub(crate) fn document(&self) -> PathBuf {
        self.folder.path().join("reports/chat/investigations/INV-0001-get-one.md")
    }

    pub(crate) fn written(&self) -> String {
        fs::read_to_string(self.document()).unwrap()
    }

    /// An editor on the machine, or git, leaves another text.
    pub(crate) fn leave(&self, text: &str) {
        fs::write(self.document(), text).unwrap();
    }

    pub(crate) async fn edits(&self) -> Vec<EditRow> {
        let of = DocumentKey { pipeline: self.name("chat"), id: InvestigationId::from_number(1) };
        self.store.list_edits(&of, None, 100).await.unwrap()
    }

    pub(crate) async fn open(&self) -> Opened {
        self.open_within("").await
    }

    pub(crate) async fn open_within(&self, session: &str) -> Opened {
        let ask = get(&format!("{HERE}/edit?text")).with("cookie", session);
        let page = self.ask(ask).await.page(200).html();
        Opened {
            key: field(&page, "form_key").to_owned(),
            base: field(&page, "base").to_owned(),
            text: typed(&page, "text"),
            session: session.to_owned(),
        }
    }
}

/// An edit that somebody has open.
pub(crate) struct Opened {
    pub(crate) key: String,
    pub(crate) base: String,
    pub(crate) text: String,
    session: String,
}

impl Opened {
    /// As a browser sends it: each line ends with CR LF.
    pub(crate) fn form(&self, text: &str, by: &str) -> Ask {
        let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        let fields = [
            ("form_key", self.key.as_str()),
            ("base", &self.base),
            ("text", &text),
            ("by", by),
            ("do", "save"),
        ];
        send(&format!("{HERE}/edit"), &fields).with("cookie", &self.session)
    }
}

/// What a field of a page holds, as a browser has it.
pub(crate) fn typed(html: &str, id: &str) -> String {
    let (_, rest) = html.split_once(&format!("<textarea id=\"{id}\"")).expect("there is one");
    let (_, rest) = rest.split_once(">\n").unwrap();
    unescaped(rest.split("</textarea>").next().unwrap())
}

fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}

#[track_caller]
pub(crate) fn led_to(reply: Reply, done: &str) {
    let reply = reply.is(303);
    assert_eq!(reply.header("location"), format!("{HERE}?done={done}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_in_the_file_and_in_the_history() {
    let house = house(&all_tokens()).await.with_document(&fresh()).await;
    let session = log_in(&house, TRIGGER).await;
    let opened = house.open_within(&session).await;
    assert_eq!(opened.text, fresh(), "to the last character");
    let text = fresh().replacen("- Claim:", "- Claim: the cache forgot <b>it</b>", 1);
    led_to(house.ask(opened.form(&text, "ada")).await, "saved");
    assert_eq!(house.written(), text);
    let saved = get(&format!("{HERE}?done=saved")).with("cookie", &session);
    let page = house.ask(saved.with("cookie", "andon_done=saved")).await.page(200).html();
    assert!(page.contains("role=\"status\">Saved."), "{page}");
    assert!(page.contains("<b>ada (token trig)</b>"), "{page}");
    assert!(page.contains("d-added\">- Claim: the cache forgot &lt;b&gt;it&lt;/b&gt;"), "{page}");
    assert!(page.contains("a guess without evidence"), "its remarks stand beside it: {page}");
    let raw = house.ask(get(&format!("{HERE}/document.md")).with("cookie", &session)).await;
    assert_eq!(raw.text(), text);
    let edits = house.edits().await;
    let [edit] = edits.as_slice() else { panic!("{edits:?}") };
    assert_eq!((edit.added, edit.removed, edit.is_merged, edit.is_written), (1, 1, false, true));
    assert!(edit.lines.starts_with("@Why 2. "), "{}", edit.lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_without_a_change_is_none() {
    for text in [fresh(), fresh().replace('\n', "\r\n"), fresh() + "\na lone\rCR, and no end"] {
        let house = house(&[]).await.with_document(&text).await;
        let opened = house.open().await;
        led_to(house.ask(opened.form(&opened.text, "")).await, "unchanged");
        assert_eq!(house.written(), text);
        assert!(house.edits().await.is_empty());
        // What is changed is one line, and ends as the others do.
        let changed = opened.text.replacen("- Claim:", "- Claim: x", 1);
        led_to(house.ask(opened.form(&changed, "")).await, "saved");
        assert_eq!(house.written(), text.replacen("- Claim:", "- Claim: x", 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_edit_at_once_are_brought_together() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let (ada, lin) = (house.open().await, house.open().await);
    let text = ada.text.replacen("- Claim:", "- Claim: the cache", 1);
    led_to(house.ask(ada.form(&text, "ada")).await, "saved");
    // A field beside that one, and a note.
    let text = lin.text.replacen("- Evidence:", "- Evidence: its log", 1);
    let text =
        text.replace("<!-- andon:end notes -->\n", "<!-- andon:end notes -->\n\nseen on Monday\n");
    led_to(house.ask(lin.form(&text, "lin")).await, "merged");
    let both = fresh()
        .replacen("- Claim:", "- Claim: the cache", 1)
        .replacen("- Evidence:", "- Evidence: its log", 1)
        .replace("<!-- andon:end notes -->\n", "<!-- andon:end notes -->\n\nseen on Monday\n");
    assert_eq!(house.written(), both);
    let by: Vec<(String, bool)> =
        house.edits().await.into_iter().map(|edit| (edit.by, edit.is_merged)).collect();
    assert_eq!(by, [("lin".to_owned(), true), ("ada".to_owned(), false)]);
}

/// Who comes second sees that the file is another than it was merged with, and merges anew.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_saves_in_the_same_moment_all_stay() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let answered = |text: &str, which: usize| {
        let (at, claim) = text.match_indices("- Claim:").nth(which).unwrap();
        format!("{}{claim} {which}{}", &text[..at], &text[at + claim.len()..])
    };
    let mut forms = Vec::new();
    for which in 0..4 {
        let opened = house.open().await;
        forms.push(opened.form(&answered(&opened.text, which), &which.to_string()));
    }
    let replies = futures_util::future::join_all(forms.into_iter().map(|form| house.ask(form)));
    assert!(replies.await.iter().all(|reply| reply.status == 303));
    assert_eq!(house.written(), (0..4).fold(fresh(), |text, which| answered(&text, which)));
    let mut edits = house.edits().await;
    edits.reverse();
    assert!(edits.iter().all(|edit| edit.is_written) && edits.len() == 4, "{edits:?}");
    assert!(edits.windows(2).all(|pair| pair[0].after == pair[1].before), "{edits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tool_or_an_editor_wrote_meanwhile_stays() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let opened = house.open().await;
    let anew = fresh().replace("got 500.", "got 502.").replace("state=new", "state=analysed");
    house.leave(&anew);
    let text = opened.text.replacen("- Claim:", "- Claim: the cache", 1);
    led_to(house.ask(opened.form(&text, "ada")).await, "merged");
    assert_eq!(house.written(), anew.replacen("- Claim:", "- Claim: the cache", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_both_changed_the_same_the_person_decides() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let (ada, lin) = (house.open().await, house.open().await);
    let text = ada.text.replacen("- Claim:", "- Claim: the cache", 1);
    led_to(house.ask(ada.form(&text, "ada")).await, "saved");
    let mine = lin.text.replacen("- Claim:", "- Claim: <the> proxy", 1);
    let mine = mine.replacen("## Notes", "## Notes of lin", 1);
    let page = house.ask(lin.form(&mine, "lin")).await.page(409).html();
    assert_eq!(house.written(), text, "nothing is written");
    let of = DocumentKey { pipeline: house.name("chat"), id: InvestigationId::from_number(1) };
    let newest = house.store.newest_text(&of).await.unwrap().unwrap();
    assert_eq!(newest.text, text, "what waits for a decision is not in the file");
    assert!(page.contains("Under “Why 2. ") && page.contains("ada saved <time"), "{page}");
    assert_eq!(typed(&page, "decided-0"), "- Claim: the cache\n- Claim: <the> proxy\n");
    // Somebody leaves a line elsewhere before that is decided.
    house.leave(&text.replace("got 500.", "got 502."));
    let fields = |decided: &'static str| {
        let of = ["form_key", "base", "theirs", "mine"].map(|name| (name, field(&page, name)));
        let more = [("by", "lin"), ("decided-0", decided)];
        send(&format!("{HERE}/merge"), &of.into_iter().chain(more).collect::<Vec<_>>())
    };
    led_to(house.ask(fields("- Claim: the proxy's cache\r\n")).await, "merged");
    let expected = text
        .replace("got 500.", "got 502.")
        .replacen("- Claim: the cache", "- Claim: the proxy's cache", 1)
        .replacen("## Notes", "## Notes of lin", 1);
    assert_eq!(house.written(), expected);
    // Decided once more, what is there now clashes again.
    let again = house.ask(fields("- Claim: another")).await.page(409).html();
    assert_eq!(typed(&again, "decided-0"), "- Claim: the proxy's cache\n- Claim: another\n");
    assert_eq!(house.written(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_comes_back_and_is_not_written() {
    let house = house(&all_tokens()).await.with_document(&fresh()).await;
    let session = log_in(&house, TRIGGER).await;
    let opened = house.open_within(&session).await;
    for (text, why) in [
        ("  \n".to_owned(), "the text is empty"),
        ("a\0b".to_owned(), "NUL"),
        ("x".repeat(257 << 10), "more than 256 KiB"),
        ("\n".repeat(10_100), "or 10000 lines"),
    ] {
        let page = house.ask(opened.form(&text, "ada")).await.page(422).html();
        assert!(page.contains("Nothing is saved") && page.contains(why), "{why}");
        assert_eq!(typed(&page, "text"), text.replace('\n', "\r\n"), "{why}");
    }
    house.ask(opened.form(&"€".repeat(400 << 10), "")).await.page(413);
    // Of another session, or of none: not saved, but not lost.
    let guessed = Opened { key: "guessed".to_owned(), ..house.open_within(&session).await };
    let page = house.ask(guessed.form("mine", "ada")).await.page(403).html();
    assert_eq!((typed(&page, "text").as_str(), field(&page, "form_key")), ("mine", &*opened.key));
    assert_eq!((house.written(), house.edits().await.len()), (fresh(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_only_read_may_not_edit() {
    let house = house(&all_tokens()).await.with_document(&fresh()).await;
    let (reader, editor) = (log_in(&house, READ).await, log_in(&house, TRIGGER).await);
    let within = |ask: Ask| ask.with("cookie", &reader);
    let page = house.ask(within(get(HERE))).await.page(200).html();
    assert!(!page.contains("/edit\""), "{page}");
    house.ask(within(get(&format!("{HERE}/edit")))).await.page(403);
    let opened = Opened { session: reader, ..house.open_within(&editor).await };
    house.ask(opened.form("x", "")).await.page(403);
    assert_eq!(house.written(), fresh());
    let page = house.ask(get(HERE).token(ADMIN)).await.page(200).html();
    assert!(page.contains(&format!("{HERE}/edit\"")), "{page}");
}

/// In the document, in the records and in the history, with the words of who did it.
#[tokio::test(flavor = "multi_thread")]
async fn an_investigation_is_closed_once_with_a_reason() {
    let house = house(&all_tokens()).await.with_document(&fresh()).await;
    let read = log_in(&house, READ).await;
    let page = house.ask(get(HERE).with("cookie", &read)).await.page(200).html();
    assert!(!page.contains("Close it"), "{page}");
    let path = format!("{HERE}/close");
    let key = field(&page, "form_key");
    house.ask(send(&path, &[("form_key", key)]).with("cookie", &read)).await.page(403);

    let session = log_in(&house, TRIGGER).await;
    let page = house.ask(get(HERE).with("cookie", &session)).await.page(200).html();
    assert!(page.contains("Close it"), "{page}");
    let words = [
        ("form_key", field(&page, "form_key")),
        ("by", "ada"),
        ("reason", "the\n## cache is gone"),
    ];
    let long = "x".repeat(501);
    for reason in [" ", long.as_str()] {
        let words = [words[0], ("reason", reason)];
        house.ask(send(&path, &words).with("cookie", &session)).await.page(422);
    }
    let done = house.ask(send(&path, &words).with("cookie", &session)).await.is(303);
    assert_eq!(done.header("location"), format!("{HERE}?done=closed"));
    let written = house.written();
    assert!(written.contains("state=closed"), "{written}");
    assert!(written.contains("Closed by ada (token trig) on "), "{written}");
    assert!(written.contains("cache is gone"), "{written}");
    assert!(!written.contains("\n## cache"), "{written}");
    let rows = house.store.list_investigations(Some(&house.name("chat"))).await.unwrap();
    assert_eq!(rows[0].state, InvestigationState::Closed);
    let edits = house.edits().await;
    assert_eq!((edits.len(), edits[0].is_written), (1, true));
    let page = house.ask(get(HERE).with("cookie", &session)).await.page(200).html();
    assert!(!page.contains("Close it"), "{page}");
    let again = house.ask(send(&path, &words).with("cookie", &session)).await.page(409).html();
    assert!(again.contains("INV-0001 is closed already"), "{again}");
    assert_eq!(house.edits().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_text() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let hostile = "</textarea><script>alert(1)</script>{{ 7919*7907 }}&lt;&amp;\"'`<!-- andon:begin notes\n\u{202e}";
    let text = fresh() + hostile + "\n";
    let opened = house.open().await;
    led_to(house.ask(opened.form(&text, "</b><script>alert(2)</script>")).await, "saved");
    assert_eq!(house.written(), text);
    let again = house.open().await;
    assert_eq!(again.text, text, "it comes back as it was");
    led_to(house.ask(again.form(&(text.clone() + "## more\n"), "")).await, "saved");
    for path in [HERE.to_owned(), format!("{HERE}/edit"), format!("{HERE}/edit?text")] {
        let html = house.ask(get(&path)).await.page(200).html();
        assert!(!html.contains("<script>") && !html.contains("62615533"), "{html}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_looked_at_before_it_is_saved() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let opened = house.open().await;
    let text = opened.text.replacen("- Claim:", "- Claim: lin forgot **it**", 1);
    let fields =
        [("form_key", &*opened.key), ("base", &opened.base), ("text", &text), ("do", "preview")];
    let page = house.ask(send(&format!("{HERE}/edit"), &fields)).await.page(200).html();
    assert_eq!((typed(&page, "text"), field(&page, "base")), (text, &*opened.base));
    assert!(page.contains("lin forgot <strong>it</strong>"), "{page}");
    assert!(page.contains("ask what made the mistake possible"), "{page}");
    assert_eq!(house.written(), fresh());
}

/// The fields of a page with what somebody fills in, as a browser sends them.
fn filled_in(page: &str, given: &[(&str, &str)]) -> Ask {
    let hidden =
        ["form_key", "base", "mode"].map(|name| (name.to_owned(), field(page, name).to_owned()));
    let mut fields: BTreeMap<String, String> = hidden.into();
    for part in page.split("<textarea id=\"").skip(1) {
        let name = part.split('"').next().unwrap();
        fields.insert(name.to_owned(), typed(page, name).replace('\n', "\r\n"));
    }
    for part in page.split("<select id=\"").skip(1) {
        let (options, name) =
            (part.split("</select>").next().unwrap(), part.split('"').next().unwrap());
        let (_, chosen) = options.split_once(" selected>").unwrap();
        let chosen = chosen.split('<').next().unwrap().replace("not said", "");
        fields.insert(name.to_owned(), unescaped(&chosen));
    }
    for (name, value) in given {
        fields.insert((*name).to_owned(), (*value).to_owned());
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    send(&format!("{HERE}/edit"), &fields)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_countermeasures_are_filled_into_fields() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let fields = async || house.ask(get(&format!("{HERE}/edit"))).await.page(200).html();
    let page = fields().await;
    assert!(
        page.contains("<legend>Why 2. Why does the endpoint answer with this status?"),
        "{page}"
    );
    led_to(house.ask(filled_in(&page, &[])).await, "unchanged");
    assert_eq!(house.written(), fresh());
    let given = [
        ("why-2-0-claim", "the cache\r\nis cold"),
        ("why-2-0-confidence", "likely"),
        ("measure-0-0", "warm | fill it"),
        ("measure-0-2", "ada"),
        ("by", "ada"),
    ];
    led_to(house.ask(filled_in(&page, &given)).await, "saved");
    let expected = fresh()
        .replacen("- Claim:\n", "- Claim: the cache\n  is cold\n", 1)
        .replacen("guess):\n", "guess): likely\n", 1)
        .replacen("| | | | | | | |", "| warm \\| fill it | | ada | | | | |", 1);
    assert_eq!(house.written(), expected);
    // The page is opened again: what was written stands in its fields, with room for one more.
    let again = fields().await;
    assert_eq!(typed(&again, "why-2-0-claim"), "the cache\nis cold");
    assert_eq!(
        (typed(&again, "measure-0-0"), typed(&again, "measure-1-0")),
        ("warm | fill it".into(), String::new())
    );
    assert!(again.contains("<option selected>likely</option>"), "{again}");
    led_to(house.ask(filled_in(&again, &[])).await, "unchanged");
    // Somebody else fills in other fields of the page as it was before.
    led_to(
        house
            .ask(filled_in(&page, &[("why-3-0-claim", "a <b>branch</b>"), ("notes", "more")]))
            .await,
        "merged",
    );
    let expected = expected
        .replacen("- Claim:\n", "- Claim: a <b>branch</b>\n", 1)
        .replace("<!-- andon:end notes -->\n", "<!-- andon:end notes -->\n\nmore\n");
    assert_eq!(house.written(), expected);
    // Two who fill in the same field: a person decides.
    let clash =
        house.ask(filled_in(&page, &[("why-2-0-claim", "the proxy")])).await.page(409).html();
    assert!(typed(&clash, "decided-0").contains("- Claim: the proxy"), "{clash}");
    assert_eq!(house.written(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_looked_at_refused_and_shown_as_text_without_a_loss() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let page = house.ask(get(&format!("{HERE}/edit"))).await.page(200).html();
    let given = |name| [("why-2-0-claim", "ada forgot </textarea><script>"), name];
    let looked_at = house.ask(filled_in(&page, &given(("do", "preview")))).await.page(200).html();
    assert_eq!(typed(&looked_at, "why-2-0-claim"), given(("", ""))[0].1);
    assert!(looked_at.contains("ask what made the mistake possible"), "{looked_at}");
    assert!(!looked_at.contains("<script>"), "{looked_at}");
    let text = house.ask(filled_in(&page, &given(("do", "text")))).await.page(200).html();
    let expected = fresh().replacen("- Claim:", &format!("- Claim: {}", given(("", ""))[0].1), 1);
    assert_eq!((typed(&text, "text"), field(&text, "base")), (expected, field(&page, "base")));
    let refused =
        house.ask(filled_in(&page, &given(("form_key", "guessed")))).await.page(403).html();
    assert_eq!(typed(&refused, "why-2-0-claim"), given(("", ""))[0].1);
    // What it began with is not kept: what was filled in stands at the end of what there is.
    let lost = house.ask(filled_in(&page, &given(("base", "00")))).await.page(409).html();
    let rescued = format!("{}\n\nwhy-2-0-claim: {}\n", fresh().trim_end(), given(("", ""))[0].1);
    assert_eq!(typed(&lost, "text"), rescued);
    assert_eq!(house.written(), fresh());
    // Where an anchor is damaged nobody knows what is whose: there the whole text is edited.
    house.leave(&fresh().replacen("<!-- andon:end why-3 -->", "", 1));
    let page = house.ask(get(&format!("{HERE}/edit"))).await.page(200).html();
    assert!(page.contains("<textarea id=\"text\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_starts_anew_knows_what_an_edit_began_with() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let opened = house.open().await;
    house.leave(&fresh().replace("got 500.", "got 502."));
    let house = house.started_anew().await;
    let text = opened.text.replacen("- Claim:", "- Claim: x", 1);
    let page = house.ask(opened.form(&text, "ada")).await.page(403).html();
    let opened = Opened { key: field(&page, "form_key").to_owned(), ..opened };
    led_to(house.ask(opened.form(&text, "ada")).await, "merged");
    assert_eq!(
        house.written(),
        fresh().replace("got 500.", "got 502.").replacen("- Claim:", "- Claim: x", 1)
    );
}

/// A text in which people wrote nothing since the last is not kept, so that none is pushed out by it.
#[tokio::test]
async fn only_what_people_wrote_is_kept_of_what_is_read() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let of = DocumentKey { pipeline: house.name("chat"), id: InvestigationId::from_number(1) };
    let answered = fresh().replacen("- Claim:", "- Claim: the cache", 1);
    let seen_again = mark_gone(&answered, 7).unwrap();
    let emptied = fresh();
    let long = format!("{answered}\n{}\n", "A log line.\n".repeat(40_000));
    // What is read, and what is the newest then.
    let table = [
        (&answered, Some(&answered)),
        (&seen_again, Some(&answered)),
        (&" \n".to_owned(), Some(&answered)),
        (&emptied, Some(&emptied)),
        (&long, None),
        (&long, None),
        (&answered, Some(&answered)),
    ];
    for ((read, newest), second) in table.into_iter().zip(1..) {
        let at = jiff::Timestamp::from_second(1_790_000_000 + second).unwrap();
        keep_written(&*house.store, vec![(of.clone(), read.clone())], at).await;
        let kept = house.store.newest_text(&of).await.unwrap().unwrap().text;
        match newest {
            Some(newest) => assert_eq!(kept, *newest),
            None => assert!(kept.len() < MAX_EDITED && kept.contains("- Claim: the cache\n")),
        }
    }
    let unknown = DocumentKey { id: InvestigationId::from_number(77), ..of };
    keep_written(&*house.store, vec![(unknown, answered)], jiff::Timestamp::UNIX_EPOCH).await;
}

/// From a red cycle to what the next report shows.
#[test]
fn what_was_written_in_a_page_stands_in_the_next_report() {
    let mut place = unattended::place(&unattended::PIPELINE);
    let _daemon = daemon(&place, &[]);
    unattended::has_looked(&place, "shop");
    let bad = |text: &str| {
        format!(r#"{{ "routes": {{ "/one": [{{ "status": 500, "text": "{text}" }}] }} }}"#)
    };
    place.commit("Second version", &unattended::files(&bad("a")));
    unattended::wait_for_cycles(&place, 1);
    let here = "/pipelines/shop/investigations/INV-0001/edit";
    let page = send_for_reply(&place, get(&format!("{here}?text"))).page(200).html();
    let text = typed(&page, "text").replacen("- Claim:", "- Claim: the route is not registered", 1);
    let fields = [
        ("form_key", field(&page, "form_key")),
        ("base", field(&page, "base")),
        ("text", &text.replace('\n', "\r\n")),
    ];
    send_for_reply(&place, send(here, &fields)).is(303);
    place.commit("Third version", &unattended::files(&bad("b")));
    unattended::wait_for_cycles(&place, 2);
    until("it is idle", || state_of(&place)["state"] == "idle");
    let report = place.read("reports/shop/cycle-0002.md");
    assert!(report.contains("the route is not registered"), "{report}");
    let shown = place.andon(&["whys", "show", "INV-0001", "--json"]).expect_code(0).json();
    assert_eq!(shown["document"]["state"], "analysed", "{shown}");
}
