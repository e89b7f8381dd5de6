//! The page of a log, and what the API sends of it: parts, searches, what is missing in it.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::client::get;
use crate::house::{House, house, impatient_house};

/// The log of a deploy step that runs.
const PATH: &str = "/pipelines/chat/cycles/1/logs/1";

async fn house_with_log(text: &str) -> House {
    house(&[]).await.with_log(text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_none_is_told_in_words_and_an_empty_one_is_not_given() {
    let house = house_with_log("only <line>\n").await;
    for (query, told) in [
        ("?at=-1", "`at=-1` is no place in a log"),
        ("?at=abc", "`at=abc` is no place in a log"),
        ("?at=1.5", "`at=1.5` is no place in a log"),
        ("?at=99999999999999999999", "`at=99999999999999999999` is no place in a log"),
        ("?find=x&after=%3Cb%3E", "`after=&lt;b&gt;` is no place in a log"),
        ("?at=1&at=2", "the query does not fit"),
    ] {
        let html = house.ask(get(&format!("{PATH}{query}"))).await.page(400).html();
        assert!(html.contains(told), "{query}: {html}");
        let help = "a place is a number of bytes from the beginning of the log, as";
        assert!(html.contains(help) || query.contains("&at"), "{query}: {html}");
    }
    for query in
        ["?at=", "?at=+", "?after=", "?find=", "?find=&after=&at=", "?at=18446744073709551615"]
    {
        let html = house.ask(get(&format!("{PATH}{query}"))).await.page(200).html();
        assert!(html.contains("data-n=\"1\">only &lt;line&gt;"), "{query}: {html}");
        assert!(!html.contains("aria-label=\"Found\""), "{query}: {html}");
    }
}

/// A log of which 5 lines and a half were left out, and one that only looks like that.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_out_of_a_log_is_told_wherever_it_is_read() {
    let head = "one\ntwo\nthr";
    let text = format!("{head}\n… 23 bytes in 5 lines cut …\n-ght\nnine\n");
    let house = house_with_log(&text).await;
    let at = head.len() as u64;
    house.end_step(23, Some(at)).await;
    let html = house.ask(get(PATH)).await.page(200).html();
    let line = at + 1;
    for told in [
        "23 B (5 lines) were cut out of the middle when it was written: ",
        &format!("<a href=\"{PATH}?at={line}#b{line}\">where</a>"),
        "data-n=\"3\">thr\n",
        &format!("<span class=\"line\" id=\"b{line}\">… 23 bytes in 5 lines cut …\n"),
        "data-n=\"8\">-ght\n",
        "data-n=\"9\">nine\n",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    let missed = "The 23 B that were cut out when it was written could not be searched.";
    let found = house.ask(get(&format!("{PATH}?find=seven"))).await.page(200).html();
    assert!(found.contains("No line holds “seven”.") && found.contains(missed), "{found}");
    let found = house.ask(get(&format!("{PATH}?find=nine"))).await.page(200).html();
    assert!(found.contains("\">9</a> <code>nine</code>") && found.contains(missed), "{found}");
    let cycle = house.ask(get("/pipelines/chat/cycles/1")).await.page(200).html();
    assert!(cycle.contains(" B, 23 B cut out of its middle, exit 0"), "{cycle}");
    let list = house.ask(get("/api/v1/pipelines/chat/cycles/1/logs")).await.is(200).json();
    let to = at + "\n… 23 bytes in 5 lines cut …\n".len() as u64;
    let gap = json!({ "at": at, "to": to, "bytes": 23, "lines": 5 });
    assert_eq!(list["logs"][0]["gap"], gap);
    let plain = house.ask(get(&format!("/api/v1{PATH}"))).await.is(200);
    assert_eq!((plain.text(), plain.header("x-andon-over")), (text, "yes"));
    assert_eq!(plain.header("x-andon-gap"), format!("at={at}; to={to}; bytes=23; lines=5"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_before_lines_were_counted_has_no_numbers_after_that() {
    let head = "x".repeat((1 << 20) - 1) + "\n";
    let house = house_with_log(&format!("{head}\n… 5000 bytes cut …\nthe end\n")).await;
    house.end_step(5000, None).await;
    let html = house.ask(get(PATH)).await.page(200).html();
    assert!(html.contains("5.0 kB were cut out"), "{html:.2000}");
    assert!(html.contains("Nobody counted its lines: those after it have no numbers."));
    let begin = head.len() + "\n… 5000 bytes cut …\n".len();
    assert!(html.contains(&format!("id=\"b{begin}\">the end\n")), "a line without a number");
    let found = house.ask(get(&format!("{PATH}?find=the+end"))).await.page(200).html();
    assert!(found.contains(&format!("#b{begin}\">line</a> <code>the end")), "{found:.2000}");
}

/// A command may write whatever it wants: it was cut only where its supervisor says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_prints_a_marker_itself_was_not_cut() {
    let house = house_with_log("one\n\n… 23 bytes in 5 lines cut …\ntwo\n").await;
    house.end_step(0, None).await;
    let html = house.ask(get(PATH)).await.page(200).html();
    assert!(!html.contains("were cut out") && html.contains("data-n=\"4\">two\n"), "{html}");
    assert_eq!(house.ask(get(&format!("/api/v1{PATH}"))).await.header("x-andon-gap"), "");
}

/// Who looks for something and has no patience is told how far that went, and finds it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_takes_too_long_says_how_far_it_went_and_leads_on() {
    let line = |number: u32| format!("line {number}\n");
    let text: String = (1..=300_000).map(line).collect();
    let house = impatient_house(&[], Duration::ZERO).await.with_log(&text).await;
    let mut next = format!("{PATH}?find=LINE+299999");
    let mut pages = 0;
    let last = loop {
        pages += 1;
        let html = house.ask(get(&next)).await.page(200).html();
        let Some((_, on)) =
            html.split_once("rel=\"next\" href=\"/pipelines/chat/cycles/1/logs/1?find")
        else {
            break html;
        };
        let from = if pages == 1 { "" } else { " from there on" };
        let said = format!("No line{from} holds “LINE 299999” so far.");
        assert!(html.contains(&said), "{said}: {html:.3000}");
        assert!(html.contains(">Look on from there</a>") && html.contains(" were looked through"));
        next = format!("{PATH}?find{}", on.split('"').next().unwrap().replace("&amp;", "&"));
    };
    assert!(last.contains("\">299999</a> <code>line 299999</code>"), "{last:.3000}");
    assert_eq!(pages, text.len().div_ceil(1 << 20), "a mebibyte a page");
}

/// Somebody put a huge file in the place of a log. Its page comes as that of any log; lines are numbered at its beginning.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_file_that_is_too_long_for_a_log_says_that_its_end_has_no_numbers() {
    let house = impatient_house(&[], Duration::ZERO).await.with_log("one\ntwo\n").await;
    let file = OpenOptions::new().write(true).open(house.log_file()).unwrap();
    // Nothing of that is on the disk but the ends.
    file.write_all_at(b"\nlast but one\nlast\n", 1 << 30).unwrap();
    let told = "Lines are numbered in the first 32 MiB of a log. These come after that.";
    let html = house.ask(get(PATH)).await.page(200).html();
    assert!(html.contains(told), "{html:.3000}");
    assert!(html.contains(&format!("id=\"b{}\">last\n", (1 << 30) + 14)), "{html:.3000}");
    let html = house.ask(get(&format!("{PATH}?at=4"))).await.page(200).html();
    assert!(html.contains("id=\"b4\" data-n=\"2\">two\n"), "{html:.3000}");
    assert!(!html.contains(told), "{html:.3000}");
    let html = house.ask(get(&format!("{PATH}?find=last"))).await.page(200).html();
    assert!(html.contains("No line holds “last” so far.") && html.contains("Look on from there"));
    let find = format!("{PATH}?find=last&after={}", (1 << 30) - 1);
    let html = house.ask(get(&find)).await.page(200).html();
    let hit = format!("#b{}\">line</a> <code>last</code>", (1 << 30) + 14);
    assert!(html.contains(&hit), "{html:.3000}");
}

/// A viewer who asks for more again and again has events read once: here those of before cannot even be read any more.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_log_has_only_new_events_read() {
    let house = house_with_log("one\n").await;
    let raw = format!("/api/v1{PATH}");
    assert_eq!(house.ask(get(&raw)).await.is(200).header("x-andon-over"), "");
    let options = SqliteConnectOptions::new().filename(house.folder.path().join("andon.db"));
    let mut db = options.connect().await.unwrap();
    let garble = "DROP TRIGGER event_is_never_changed; UPDATE event SET payload = '-'";
    sqlx::raw_sql(garble).execute(&mut db).await.unwrap();
    house.ask(get("/api/v1/pipelines/chat/cycles/1/events")).await.is(500);
    for _ in 0..3 {
        assert_eq!(house.ask(get(&raw)).await.is(200).text(), "one\n");
    }
    house.end_step(0, None).await;
    assert_eq!(house.ask(get(&raw)).await.is(200).header("x-andon-over"), "yes");
    house.ask(get(PATH)).await.page(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_that_is_being_written_is_shown() {
    let house = house_with_log("one\n50 % \u{1b}[32mdone").await;
    let html = house.ask(get(PATH)).await.page(200).html();
    let open = "id=\"b4\" data-n=\"2\" data-log-open>50 % <span class=\"a-32\">done</span>";
    assert!(html.contains(open) && html.contains("data-log-at=\"4\""), "{html}");
    house.end_step(0, None).await;
    let html = house.ask(get(PATH)).await.page(200).html();
    assert!(
        html.contains("data-n=\"2\">50 % ") && html.contains("data-log-over=\"yes\""),
        "{html}"
    );
}
