//! `andon run` tells what changed before it leaves, and ends the same whoever listens.

use serde_json::Value;

use crate::sink::{Reply, Sink, status};
use crate::support::{CANARY, Place};

fn place(sink: &Sink) -> Place {
    let mut place = Place::new();
    place.commit("A commit <!channel>", &vec![("README".to_owned(), "x".to_owned(), false)]);
    let (health, hook, api) = (sink.url("/health"), sink.url("/hook"), sink.url("/api"));
    place.write(
        "chat.yaml",
        &format!(
            "version: 1\nname: chat\nwatch: {{ repo: repo, poll: off }}\n\
             secrets: {{ token: {{ env: CANARY }} }}\n\
             suite:\n  retries: 0\n  cases:\n    - {{ id: health, steps: [{{ http: \"{health}\" }}] }}\n\
             notify:\n\
             \x20 - slack: {{ url: \"{hook}\" }}\n\
             \x20 - commit_status: {{ forge: github, repo: acme/chat, token: \"${{secret.token}}\", api: \"{api}\" }}\n"
        ),
    );
    place
}

fn states(sink: &Sink, place: &Place) -> Vec<Value> {
    let path = format!("/api/repos/acme/chat/statuses/{}", place.commits()[0]);
    sink.asked(&path).iter().map(|asked| asked.json()["state"].clone()).collect()
}

fn told(sink: &Sink) -> Vec<String> {
    let asked = sink.asked("/hook");
    asked.iter().map(|asked| asked.json()["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_run_tells_changes_once_and_every_end_to_the_commit() {
    let sink = Sink::new();
    let place = place(&sink);
    sink.always("/health", status(500));
    place.andon(&["run", "chat.yaml"]).expect_code(1);
    let first = told(&sink);
    assert_eq!(first.len(), 1);
    assert!(first[0].contains("chat: red, 1 case failing anew (ran 1 of 1)"), "{first:?}");
    assert!(first[0].contains("&lt;!\u{2060}channel&gt;"), "{first:?}");
    assert!(first[0].contains("reports/chat/"), "{first:?}");
    assert_eq!(
        states(&sink, &place),
        ["failure"],
        "pending gave way to the end before it was sent"
    );

    place.andon(&["run", "chat.yaml"]).expect_code(1);
    assert_eq!(told(&sink).len(), 1, "still failing is no news");
    assert_eq!(states(&sink, &place).len(), 2);

    sink.always("/health", status(200));
    sink.next("/hook", [Reply::HangUp]);
    let done = place.andon(&["run", "chat.yaml"]).expect_code(0);
    assert!(done.stderr.contains("is not told yet"), "{}", done.stderr);
    assert_eq!(states(&sink, &place).last().unwrap(), "success");
    assert!(told(&sink).last().unwrap().contains("green again (ran 1 of 1)"));

    let database = std::fs::read(place.file(".andon/andon.db")).unwrap();
    assert!(!database.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()));
}
