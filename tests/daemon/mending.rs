//! Edits of investigations that take Andon's own parts away: those are put back, the page says which, and
//! the document can be closed.

use andon::investigation::{mark_gone, meta_of};

use andon::domain::findings::InvestigationState;

use crate::client::{Reply, get, send};
use crate::editing::{HERE, fresh, led_to, typed};
use crate::house::{House, house};
use crate::pages::field;

impl House {
    /// The page that a form led to.
    async fn page_after(&self, reply: Reply, done: &str) -> String {
        let reply = reply.is(303);
        let to = reply.header("location");
        assert!(to.starts_with(&format!("{HERE}?done={done}&parts=")), "{to}");
        let (marker, _) = reply.header("set-cookie").split_once(';').unwrap();
        self.ask(get(to).with("cookie", marker)).await.page(200).html()
    }

    async fn close_it(&self) {
        let page = self.ask(get(HERE)).await.page(200).html();
        assert!(page.contains("Close it"), "{page}");
        let words =
            [("form_key", field(&page, "form_key")), ("by", "ada"), ("reason", "it is gone")];
        led_to(self.ask(send(&format!("{HERE}/close"), &words)).await, "closed");
        assert!(self.written().contains("state=closed"), "{}", self.written());
        assert!(self.written().contains("Closed by ada on "), "{}", self.written());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_leaves_nothing_of_andons_parts_does_not_lose_them() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let opened = house.open().await;
    // It is said before it is saved, too.
    let fields =
        [("form_key", &*opened.key), ("base", &opened.base), ("text", "hello"), ("do", "preview")];
    let looked_at = house.ask(send(&format!("{HERE}/edit"), &fields)).await.page(200).html();
    assert!(
        looked_at.contains(
            "missing here: the comment that says what the document is, the title, the state, "
        ),
        "{looked_at}"
    );
    assert_eq!(house.written(), fresh());
    let page = house.page_after(house.ask(opened.form("hello", "ada")).await, "mended").await;
    assert!(page.contains("role=\"status\">Saved. The text had lost"), "{page}");
    assert!(page.contains("stand there again: the comment that says what"), "{page}");
    let head = "<!-- andon:begin head";
    assert_eq!(house.written(), fresh().replacen(head, &format!("hello\n\n{head}"), 1));
    assert_eq!(house.edits().await[0].added, 2, "the history tells only what a person did");
    house.close_it().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_part_of_andons_is_put_back_and_words_stay_under_it() {
    let answered = fresh().replacen("- Claim:", "- Claim: the cache", 1);
    let house = house(&[]).await.with_document(&answered).await;
    let opened = house.open().await;
    let (from, to) = ("<!-- andon:begin why-2", "<!-- andon:end why-2 -->\n");
    let (start, end) = (opened.text.find(from).unwrap(), opened.text.find(to).unwrap() + to.len());
    let text = format!("{}{}", &opened.text[..start], &opened.text[end..]);
    let page = house.page_after(house.ask(opened.form(&text, "ada")).await, "mended").await;
    assert!(page.contains("stand there again: why 2. "), "{page}");
    assert!(house.written().contains("### Why 2. "), "{}", house.written());
    assert!(house.written().contains("- Claim: the cache"), "{}", house.written());
    // Only that was taken away: there is nothing to save.
    house.leave(&fresh());
    let opened = house.open().await;
    let text = opened.text.replacen("<!-- andon:end seen -->\n", "", 1);
    let page = house.page_after(house.ask(opened.form(&text, "ada")).await, "kept").await;
    assert!(page.contains("is Andon&#x27;s own, and stays: what was seen."), "{page}");
    assert_eq!((house.written(), house.edits().await.len()), (fresh(), 1));
}

/// What somebody did to the file on the machine is in the way of no page.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_broken_elsewhere_is_closed_with_what_is_known() {
    let house = house(&[]).await.with_document(&fresh()).await;
    house.leave("from an editor\n");
    let page = house.ask(get(HERE)).await.page(200).html();
    assert!(
        page.contains(
            "missing here: the comment that says what the document is. They are put back"
        ),
        "{page}"
    );
    // By a save without a change, too.
    let opened = house.open().await;
    house.page_after(house.ask(opened.form(&opened.text, "ada")).await, "mended").await;
    assert!(meta_of(&house.written()).is_some(), "{}", house.written());
    assert!(house.written().contains("from an editor\n"), "{}", house.written());
    house.leave("from an editor\n");
    house.close_it().await;
    assert!(house.written().contains("from an editor\n"), "{}", house.written());
    // With an edit in the history, the parts come of that.
    let opened = {
        house.leave(&fresh());
        house.open().await
    };
    let answered = opened.text.replacen("- Claim:", "- Claim: the cache", 1);
    led_to(house.ask(opened.form(&answered, "ada")).await, "saved");
    house.leave("again\n");
    let opened = house.open().await;
    assert_eq!(typed(&house.ask(get(&format!("{HERE}/edit"))).await.html(), "text"), "again\n");
    house.page_after(house.ask(opened.form("again, and more\n", "")).await, "mended").await;
    let written = house.written();
    assert!(written.contains("\nagain, and more\n") && written.contains("got 500."), "{written}");
}

/// Else a return of the failure would not be one.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_gone_stays_so_where_its_file_lost_its_first_comment() {
    let gone = mark_gone(&fresh(), 5).unwrap();
    let house = house(&[]).await.with_document(&gone).await;
    let (before, broken) = (house.open().await, gone.split_once('\n').unwrap().1);
    // By the state in words, and where that is gone as well by the text that the edit began with.
    house.leave(broken);
    let opened = house.open().await;
    let reworded = broken.replace(", gone from cycle 5 on", "");
    for (opened, left, done) in
        [(opened, broken.to_owned(), "mended"), (before, reworded, "mended_merged")]
    {
        house.leave(&left);
        let text = opened.text.replacen("- Claim:", "- Claim: the cache", 1);
        house.page_after(house.ask(opened.form(&text, "ada")).await, done).await;
        let meta = meta_of(&house.written()).unwrap();
        assert_eq!(meta.gone, Some(5), "{}", house.written());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_lost_parts_and_met_another_is_told_as_both() {
    let house = house(&[]).await.with_document(&fresh()).await;
    let (ada, lin) = (house.open().await, house.open().await);
    let text = ada.text.replacen("- Claim:", "- Claim: the cache", 1);
    led_to(house.ask(ada.form(&text, "ada")).await, "saved");
    let text = lin.text.replacen("<!-- andon:end notes -->\n", "", 1);
    let text = text.replacen("- Evidence:", "- Evidence: its log", 1);
    let page = house.page_after(house.ask(lin.form(&text, "lin")).await, "mended_merged").await;
    assert!(page.contains("Saved, together with what others changed"), "{page}");
    assert!(page.contains("stand there again: the heading of the notes. "), "{page}");
}

/// No cycle that sees the failure will say any more that somebody answered.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_failure_that_is_gone_is_seen_at_once() {
    let state = async |house: &House| {
        house.store.list_investigations(Some(&house.name("chat"))).await.unwrap()[0].state
    };
    for (gone, becomes) in
        [("gone=-", InvestigationState::New), ("gone=3", InvestigationState::Analysed)]
    {
        let text = fresh().replacen("gone=-", gone, 1);
        let house = house(&[]).await.with_document(&text).await;
        let opened = house.open().await;
        let only_evidence = opened.text.replacen("- Evidence:", "- Evidence: a log", 1);
        led_to(house.ask(opened.form(&only_evidence, "ada")).await, "saved");
        assert_eq!(state(&house).await, InvestigationState::New, "{gone}");
        let opened = house.open().await;
        let answered = opened.text.replacen("- Claim:", "- Claim: the cache", 1);
        led_to(house.ask(opened.form(&answered, "ada")).await, "saved");
        assert_eq!(state(&house).await, becomes, "{gone}");
        assert!(
            house.written().contains(&format!("state={}", becomes.as_str())),
            "{}",
            house.written()
        );
        assert!(house.written().contains("- Claim: the cache"), "{}", house.written());
    }
}
