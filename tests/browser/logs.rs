//! A log that is followed while it is written: what the script shows is what the server would.

use std::fs::OpenOptions;
use std::io::Write as _;

use crate::browser::{Browser, Script};
use crate::house::{House, house};

/// The page of the log that [`House::with_log`] has.
const PATH: &str = "/pipelines/chat/cycles/1/logs/1";
/// What a terminal would make of it, what would turn a line around, and what is no end of a sequence.
const HOSTILE: &str = "\u{feff}\u{1b}[1;31mred\u{1b}[256;300;4:3;-5;+0;1.0m still\u{1b}[32m green\u{1b}[22;39m plain <b>&amp;\u{1b}]0;ti\u{1b}[31mtle\u{7}\u{1b}[2K\u{85}\u{8}\t\u{202e}turned\u{1b}é\u{1b}[31";
/// How many lines of the page are as the server has them, and those that are not.
const COMPARED: &str = "
    return fetch(location.pathname).then((answer) => answer.text()).then((text) => {
        const server = new DOMParser().parseFromString(text, 'text/html'), wrong = [];
        let same = 0;
        for (const line of server.querySelectorAll('.log .line')) {
            const here = document.getElementById(line.id);
            if (here && here.dataset.n === line.dataset.n && (here.innerHTML === line.innerHTML || line.dataset.n === '3')) same += 1;
            else wrong.push(`${line.id} ${line.dataset.n} ${here?.dataset.n} ${line.innerHTML} ${here?.innerHTML}`.slice(0, 900));
        }
        return [same, ...wrong];
    })";

fn writes(house: &House, text: &str) {
    let mut log = OpenOptions::new().append(true).open(house.log_file()).unwrap();
    log.write_all(text.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_followed_has_the_numbers_of_the_server() {
    let house = house(&[]).await.with_log("one\ntwo").await;
    let browser = Browser::open(&format!("http://{}", house.address), Script::On).await;
    browser.visit(PATH).await;
    browser.until_shown(".line[data-n='2']", "two").await;
    // One line in several pieces, which are shown as they come, and a line after it.
    writes(&house, &format!(" goes on\n{}", "x".repeat(100_000)));
    browser.until_shown(".line[data-n='2']", "two goes on").await;
    browser.until_shown(".line[data-n='3']", "xxx").await;
    writes(&house, &"y".repeat(100_000));
    browser.until_shown(".line[data-n='3']", "yyy").await;
    writes(&house, "\nfour\n");
    browser.until_shown(".line[data-n='4']", "four").await;
    writes(&house, &format!("{HOSTILE}\nsi"));
    browser.until_shown(".line[data-n='5']", "green plain <b>&amp;\t<U+202E>turned").await;
    browser.until_shown(".line[data-n='6']", "si").await;
    assert_eq!(browser.ask(COMPARED).await, serde_json::json!([6]));
    let pieces = "return document.querySelectorAll(`.line[data-n='3']`).length";
    assert_eq!(browser.ask(pieces).await, 2);
    // Its end comes before it is known that something was cut out before that.
    let place = std::fs::metadata(house.log_file()).unwrap().len();
    let marker = "\n… 500 bytes in 50 lines cut …\n";
    writes(&house, &format!("{marker}ty-six\nlast\n"));
    browser.until_shown(".line", "last").await;
    house.end_step(500, Some(place)).await;
    browser.until_shown("[data-log-head]", "500 B (50 lines) were cut out of the middle").await;
    browser.until_shown("[data-log-head]", "exit 0").await;
    browser.until_shown(".line[data-n='57']", "last").await;
    assert_eq!(browser.ask(COMPARED).await, serde_json::json!([9]));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}

/// What nobody answers is asked for less and less often; a log that is gone is not asked for any more, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_followed_is_not_asked_for_again_and_again() {
    let house = house(&[]).await.with_log("one\n").await;
    let browser = Browser::open(&format!("http://{}", house.address), Script::On).await;
    browser.visit(PATH).await;
    let fails = "
        const later = window.setTimeout, asked = window.fetch;
        window.pauses = [];
        window.setTimeout = (what, pause) => { window.pauses.push(pause); return later(what, 0); };
        window.fetch = (...what) => window.pauses.length > 12 ? asked(...what) : Promise.reject(new TypeError('nobody is there'));
        window.answers = () => { window.fetch = asked; window.setTimeout = later; };";
    browser.ask(fails).await;
    browser.until("it is asked again", "return window.pauses.length > 14").await;
    browser.ask("window.answers()").await;
    let pauses = browser.ask("return window.pauses.slice(0, 15)").await;
    let pauses: Vec<u64> = serde_json::from_value(pauses).unwrap();
    let begin = pauses.iter().position(|pause| *pause == 1_000).unwrap();
    let failing = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    assert_eq!(pauses[begin..begin + 7], failing, "{pauses:?}");
    assert_eq!(pauses[14], 500, "{pauses:?}");
    writes(&house, "two\n");
    browser.until_shown(".line[data-n='2']", "two").await;
    std::fs::remove_file(house.log_file()).unwrap();
    let told = "Followed no more: the log is not there: not yet, or no more";
    browser.until_shown("[data-log-stopped]", told).await;
    browser
        .until("no Follow", "return document.querySelector('[data-log-following]').hidden")
        .await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_being_written_is_read_without_javascript() {
    let house = house(&[]).await.with_log("one\n50 % of <two>").await;
    let browser = Browser::open(&format!("http://{}", house.address), Script::Off).await;
    browser.visit(PATH).await;
    browser.until_shown(".line", "50 % of <two>").await;
    browser.close().await;
}

/// What is new is shown at the end, and takes nobody away from what they read above; and a log that is over is opened
/// where it ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_until_somebody_reads_in_it() {
    let lines = |from: u32, to: u32| (from..to).map(|n| format!("line {n}\n")).collect::<String>();
    let house = house(&[]).await.with_log(&lines(0, 500)).await;
    let browser = Browser::open(&format!("http://{}", house.address), Script::On).await;
    browser.visit(PATH).await;
    let follows = "return document.querySelector('[data-log-follow]').checked";
    let at_end = "const log = document.querySelector('[data-log]'); return log.scrollHeight - log.clientHeight - log.scrollTop < 5";
    browser.until("it is at its end", at_end).await;
    writes(&house, &lines(500, 600));
    browser.until_shown(".line", "line 599").await;
    browser.until("it is at its end", at_end).await;
    let up = "const log = document.querySelector('[data-log]');
        log.dispatchEvent(new WheelEvent('wheel', { deltaY: -2000 }));
        log.scrollTop -= 2000;
        return true";
    browser.ask(up).await;
    browser.until("it is not followed", &follows.replace("return ", "return !")).await;
    writes(&house, &lines(600, 700));
    // What is out of sight has no text that is shown.
    let is_there = "return document.querySelector('[data-log]').textContent.includes('line 699')";
    browser.until("line 699 is there", is_there).await;
    assert_eq!(browser.ask(at_end).await, false);
    // Back at the end it is followed again, and a find stops it.
    browser.ask("const log = document.querySelector('[data-log]'); log.scrollTop = log.scrollHeight; return true").await;
    browser.until("it is followed", follows).await;
    browser.fill("[data-log-find]", "line 17").await;
    browser.until("it is not followed", &follows.replace("return ", "return !")).await;
    house.end_step(0, None).await;
    browser.until_shown("[data-log-head]", "exit 0").await;
    browser.visit(PATH).await;
    browser.until("what is over is opened at its end", at_end).await;
    browser.close().await;
}
