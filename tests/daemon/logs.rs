//! The page of a log, and what the API sends of it: parts, searches, what is missing in it.

use std::fs;

use crate::client::get;
use crate::house::{House, house, into_deploy};

/// The log of a deploy step that runs.
pub(crate) const PATH: &str = "/pipelines/chat/cycles/1/logs/1";

/// A house whose only cycle runs a step that has written this.
pub(crate) async fn house_with_log(text: &str) -> House {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()).await;
    let folder = house.folder.path().join("runs/chat/0001/deploy-01-1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("output.log"), text).unwrap();
    house
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
    for query in ["?at=", "?at=+", "?after=", "?find=", "?find=&after=&at=", "?at=18446744073709551615"] {
        let html = house.ask(get(&format!("{PATH}{query}"))).await.page(200).html();
        assert!(html.contains("data-n=\"1\">only &lt;line&gt;"), "{query}: {html}");
        assert!(!html.contains("aria-label=\"Found\""), "{query}: {html}");
    }
}
