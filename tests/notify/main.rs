//! News on their way to receivers on loopback: order, repetition, patience, secrets.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod bench;
mod mail;
mod program;
mod receivers;
mod sink;
#[allow(dead_code)] // Only a part of it is used here.
#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use andon::notify::{Body, Pages, Publish, Served, StatusState, Unpublished};
use bench::{Bench, KEY, LONG, commit, hook, name, slack};
use serde_json::json;
use sink::{Reply, Sink, status};

fn webhook(sink: &Sink, path: &str) -> String {
    format!("  - webhook: {{ url: \"{}\", secret: \"${{secret.key}}\" }}\n", sink.url(path))
}

fn github(sink: &Sink) -> String {
    let api = sink.url("/api");
    format!(
        "  - commit_status: {{ forge: github, repo: acme/chat, token: \"${{secret.key}}\", api: \"{api}\" }}\n"
    )
}

fn status_path() -> String {
    format!("/api/repos/acme/chat/statuses/{}", bench::SHA)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_all_in_order_and_each_once() {
    let sink = Sink::new();
    let bench = Bench::new(&webhook(&sink, "/hook")).await;
    for key in ["1", "2", "3"] {
        bench.put(0, key, &hook("regressed"), None).await;
    }
    sink.next("/hook", [Reply::HangUp, status(503)]);
    let left = bench.deliver().await;
    assert_eq!(left.len(), 1);
    assert!(left[0].error.is_some(), "{left:?}");
    assert_eq!(sink.keys("/hook"), ["1"], "the second waits for the first");
    bench.advance(4);
    bench.deliver().await;
    assert_eq!(sink.keys("/hook"), ["1"], "it is not asked before its time");
    bench.advance(1);
    bench.deliver().await;
    bench.advance(10);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.keys("/hook"), ["1", "1", "1", "2", "3"]);
    assert_eq!(bench.counts().await, (0, 0));
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.keys("/hook").len(), 5, "what was accepted is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_to_wait_is_left_alone_for_so_long() {
    let sink = Sink::new();
    let bench = Bench::new(&webhook(&sink, "/hook")).await;
    bench.put(0, "1", &hook("regressed"), None).await;
    sink.next("/hook", [Reply::Answer(429, "retry-after: 30\r\n", String::new())]);
    bench.deliver().await;
    bench.advance(29);
    bench.deliver().await;
    assert_eq!(sink.keys("/hook"), ["1"]);
    bench.advance(1);
    bench.deliver().await;
    assert_eq!(sink.keys("/hook"), ["1", "1"]);
    assert_eq!(bench.counts().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_delays_no_other() {
    let sink = Sink::new();
    let bench = Bench::new(&(webhook(&sink, "/slow") + &webhook(&sink, "/quick"))).await;
    for place in [0, 1] {
        for key in ["1", "2"] {
            bench.put(place, &format!("{place}-{key}"), &hook("void"), None).await;
        }
    }
    sink.always("/slow", Reply::AfterGate);
    let deliverer = bench.deliverer();
    let delivering = tokio::spawn(async move { deliverer.deliver_due(LONG).await.unwrap() });
    let quick = sink.clone();
    let waiting = move || support::until("the quick one", || quick.keys("/quick").len() == 2);
    tokio::task::spawn_blocking(waiting).await.unwrap();
    assert_eq!(sink.keys("/slow"), ["0-1"], "it has not answered yet");
    sink.open_gate();
    assert_eq!(delivering.await.unwrap(), []);
    assert_eq!(sink.keys("/slow"), ["0-1", "0-2"]);
}

/// RELIABILITY A11.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_acceptance_and_its_mark_repeats_the_same_key() {
    let sink = Sink::new();
    let bench = Bench::new(&webhook(&sink, "/hook")).await;
    bench.put(0, "1", &hook("regressed"), None).await;
    sink.next("/hook", [Reply::AfterGate]);
    let deliverer = bench.deliverer();
    let dying = tokio::spawn(async move { deliverer.deliver_due(LONG).await });
    let seen = sink.clone();
    let waiting = move || support::until("the request", || seen.keys("/hook").len() == 1);
    tokio::task::spawn_blocking(waiting).await.unwrap();
    dying.abort();
    assert!(dying.await.is_err());
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.keys("/hook"), ["1", "1"]);
    assert_eq!(bench.counts().await, (0, 0));
}

/// RELIABILITY E2: a full disk refuses the mark, and nobody is told twice for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_cannot_be_noted_counts_all_the_same() {
    let sink = Sink::new();
    let bench = Bench::new(&(webhook(&sink, "/hook") + &github(&sink))).await;
    for key in ["1", "2"] {
        bench.put(0, key, &hook("regressed"), None).await;
    }
    bench.put(1, "news", &commit(StatusState::Error), None).await;
    bench.put(1, "pending", &commit(StatusState::Pending), None).await;
    sink.next("/hook", [status(200), Reply::Answer(429, "retry-after: 30\r\n", String::new())]);
    let deliverer = bench.deliverer();
    bench.refuse_notes().await;
    let left = deliverer.deliver_due(LONG).await.unwrap();
    let error = left[0].error.as_deref().unwrap_or_default();
    assert!(left.len() == 1 && error.contains("429"), "{left:?}");
    assert_eq!(sink.asked(&status_path()).len(), 2, "what waits behind an accepted one is sent");
    bench.advance(29);
    deliverer.deliver_due(LONG).await.unwrap();
    assert_eq!(sink.keys("/hook"), ["1", "2"], "a pause is kept");
    assert_eq!(bench.counts().await, (4, 0), "none of it could be noted");

    sink.next("/hook", [status(503)]);
    bench.advance(1);
    deliverer.deliver_due(LONG).await.unwrap();
    bench.advance(9);
    deliverer.deliver_due(LONG).await.unwrap();
    assert_eq!(sink.keys("/hook"), ["1", "2", "2"], "the second pause is the longer one");
    bench.take_notes().await;
    deliverer.deliver_due(LONG).await.unwrap();
    assert_eq!(bench.counts().await, (1, 0), "all that was kept in mind is noted");
    assert_eq!(bench.store.next_messages().await.unwrap()[0].attempts, 2);
    bench.advance(1);
    // Another process goes on from there.
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.keys("/hook"), ["1", "2", "2", "2"]);
    assert_eq!(sink.asked(&status_path()).len(), 2);
    assert_eq!(bench.counts().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_of_outage_the_commit_says_how_it_stands_and_stale_news_are_gone() {
    let sink = Sink::new();
    let bench = Bench::new(&(github(&sink) + &webhook(&sink, "/hook"))).await;
    let topic = Some("commit");
    bench.put(0, "pending", &commit(StatusState::Pending), topic).await;
    sink.always(&status_path(), status(502));
    sink.always("/hook", status(502));
    bench.deliver().await;
    bench.put(0, "end", &commit(StatusState::Failure), topic).await;
    bench.put(1, "stale", &hook("regressed"), None).await;
    let began = bench.now();
    while bench.now().duration_since(began).as_hours() < 25 {
        bench.deliver().await;
        bench.advance(600);
    }
    let tries = sink.asked(&status_path()).len();
    assert!((25..60).contains(&tries), "it is asked about once an hour: {tries}");
    bench.put(1, "fresh", &hook("fixed"), None).await;
    sink.always(&status_path(), status(201));
    sink.always("/hook", status(200));
    sink.next(&status_path(), [Reply::Answer(429, "retry-after: 60\r\n", String::new())]);
    for _ in 0..3 {
        bench.advance(3_600);
        bench.deliver().await;
    }
    let states: Vec<_> =
        sink.asked(&status_path()).iter().map(|asked| asked.json()["state"].clone()).collect();
    assert_eq!(states.last().unwrap(), "failure");
    assert!(states.iter().rev().skip(1).all(|state| state == "pending"), "{states:?}");
    assert_eq!(sink.keys("/hook").last().unwrap(), "fresh");
    assert_eq!(bench.counts().await, (0, 1), "the stale news is given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_gives_way_to_what_is_newer_of_its_commit() {
    let sink = Sink::new();
    let bench = Bench::new(&github(&sink)).await;
    bench.put(0, "pending", &commit(StatusState::Pending), Some("commit")).await;
    bench.put(0, "end", &commit(StatusState::Success), Some("commit")).await;
    bench.deliver().await;
    let asked = sink.asked(&status_path());
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].json()["state"], "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_accepted_holds_up_nothing() {
    let sink = Sink::new();
    let elsewhere = Sink::new();
    let bench = Bench::new(&webhook(&sink, "/hook")).await;
    for key in ["1", "2", "3"] {
        bench.put(0, key, &hook("regressed"), None).await;
    }
    let away: &'static str = Box::leak(format!("location: {}\r\n", elsewhere.url("/")).into());
    sink.next("/hook", [status(410), Reply::Answer(307, away, String::new())]);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.keys("/hook"), ["1", "2", "3"]);
    assert!(elsewhere.asked("/").is_empty(), "no redirect is followed");
    assert_eq!(bench.counts().await, (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_gone_is_given_up_and_a_pipeline_that_is_not_there_waited_for() {
    let sink = Sink::new();
    let mut bench = Bench::new(&webhook(&sink, "/hook")).await;
    bench.put(0, "1", &hook("regressed"), None).await;
    let nobody = bench.deliverer_of(Served::All(Arc::new(|_| None)));
    let left = nobody.deliver_due(LONG).await.unwrap();
    assert!(left[0].error.as_deref().unwrap().contains("not served"), "{left:?}");
    bench.pipeline = Arc::new(bench::pipeline(&webhook(&sink, "/other")));
    bench.advance(60);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(bench.counts().await, (0, 1));
    assert!(sink.asked("/hook").is_empty() && sink.asked("/other").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sent_and_neither_stored_nor_told() {
    let sink = Sink::new();
    let notify = format!("  - slack: {{ url: \"{}${{at}}\" }}\n", sink.url(""));
    let bench = Bench::new(&notify).await;
    bench.put(0, "1", &slack("hello"), None).await;
    let path = format!("/x?key={KEY}");
    let echo = Reply::Answer(500, "", format!("no such key: {KEY}"));
    sink.next(&path, [echo, Reply::HangUp]);
    let left = bench.deliver().await;
    let error = left[0].error.clone().unwrap();
    assert!(
        error.contains("500") && error.contains("no such key") && !error.contains(KEY),
        "{error}"
    );
    bench.advance(60);
    let error = bench.deliver().await[0].error.clone().unwrap();
    assert!(!error.contains(KEY) && !error.contains("127.0.0.1"), "{error}");
    let stored = format!("{:?}", bench.store.next_messages().await.unwrap());
    assert!(!stored.contains(KEY), "{stored}");
    bench.advance(60);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.asked(&path).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_deliverer_hears_when_it_is_woken_and_stops_when_told() {
    let sink = Sink::new();
    let bench = Bench::new(&webhook(&sink, "/hook")).await;
    let pipeline = Arc::clone(&bench.pipeline);
    let find = move |wanted: &_| (*wanted == name()).then(|| Arc::clone(&pipeline));
    let deliverer = bench.deliverer_of(Served::All(Arc::new(find)));
    let wake = deliverer.waker();
    let (leave, told) = tokio::sync::oneshot::channel();
    let running = tokio::spawn(async move { deliverer.run(async { told.await.unwrap() }).await });
    bench.put(0, "1", &hook("regressed"), None).await;
    wake.wake();
    let seen = sink.clone();
    let waiting = move || support::until("the request", || seen.keys("/hook").len() == 1);
    tokio::task::spawn_blocking(waiting).await.unwrap();
    // Nobody wakes it for what comes last, of which one refuses: that one it does not wait for.
    sink.next("/hook", [status(503)]);
    bench.put(0, "2", &hook("regressed"), None).await;
    leave.send(tokio::time::Instant::now() + LONG).unwrap();
    running.await.unwrap();
    assert_eq!(bench.counts().await, (1, 0), "what it tried was marked before it left");
    assert_eq!(sink.keys("/hook").len(), 2);
}

/// RELIABILITY H13: a branch that is protected is told once, however often it refuses, and again only after it
/// took reports in between.
#[tokio::test(flavor = "multi_thread")]
async fn h13_reports_that_a_branch_refuses_are_told_once() {
    let sink = Sink::new();
    let publishes = "report: { publish: { git: { repo: ., branch: andon-reports, path: qa } } }\n";
    let bench = Bench::new(&(webhook(&sink, "/hook") + publishes)).await;
    let answers = Arc::new(Mutex::new(VecDeque::new()));
    let publish: Publish = {
        let answers = Arc::clone(&answers);
        Arc::new(move |_| {
            let answer = answers.lock().unwrap().pop_front().unwrap_or(Ok(()));
            Box::pin(async { answer })
        })
    };
    let served = || Served::One(Arc::clone(&bench.pipeline));
    let deliver = || async {
        bench.advance(3_600);
        // Another one each time: it is the store that knows who was told.
        bench.deliverer_by(served(), Arc::clone(&publish)).deliver_due(LONG).await.unwrap()
    };
    let will = |next: &[fn(String) -> Unpublished]| {
        let refusals = next.iter().map(|refusal| Err(refusal("protected branch".to_owned())));
        answers.lock().unwrap().extend(refusals);
    };
    let told = || sink.asked("/hook").len();

    // Nobody need do anything about a network.
    will(&[Unpublished::Later, Unpublished::Refused, Unpublished::Refused]);
    bench.put_reports(1).await;
    deliver().await;
    assert_eq!(told(), 0);
    deliver().await;
    assert_eq!(told(), 1);
    let left = deliver().await;
    assert!(left[0].error.as_ref().unwrap().contains("protected branch"), "{left:?}");
    assert_eq!(deliver().await, [], "it is tried again until it is taken");

    // Given up at once, for each of two cycles: one piece of news in all.
    will(&[Unpublished::Never, Unpublished::Never]);
    bench.put_reports(2).await;
    deliver().await;
    assert_eq!(told(), 2);
    bench.put_reports(3).await;
    deliver().await;
    assert_eq!(told(), 2);
    let last = sink.asked("/hook").pop().unwrap().json();
    assert_eq!(last["event"], "unpublished");
    assert_eq!(last["detail"], "chat: reports are not pushed to their branch");
}

fn comment_on(sink: &Sink, forge: &str) -> String {
    let api = sink.url("/api");
    format!(
        "  - pull_request_comment: {{ forge: {forge}, repo: acme/chat, token: \"${{secret.key}}\", api: \"{api}\" }}\n"
    )
}

fn comment(text: &str) -> Body {
    Body::Comment {
        sha: andon::domain::revision::Sha::parse(bench::SHA).unwrap(),
        of: name(),
        text: text.to_owned(),
        report: Some("reports/chat/cycle-0007.md".to_owned()),
    }
}

fn answer(value: serde_json::Value) -> Reply {
    Reply::Answer(200, "", value.to_string())
}

/// What was asked for a path, as method and the body of the comment.
fn said(sink: &Sink, path: &str) -> Vec<(String, String)> {
    let text = |asked: &sink::Asked| asked.json()["body"].as_str().unwrap().to_owned();
    sink.asked(path).iter().map(|asked| (asked.method.clone(), text(asked))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pull_requests_of_a_commit_have_one_comment_that_is_kept_up_to_date() {
    for (forge, api, asked, requests, comments, query, edit, verb) in [
        (
            "github",
            "/api/repos/acme/chat",
            "/commits/SHA/pulls",
            json!([{ "number": 7 }]),
            "/issues/7/comments",
            "?per_page=50&page=1",
            "/issues/comments/42",
            "PATCH",
        ),
        (
            "gitlab",
            "/api/api/v4/projects/acme%2Fchat",
            "/repository/commits/SHA/merge_requests",
            json!([{ "iid": 7 }]),
            "/merge_requests/7/notes",
            "?per_page=50&page=1&sort=asc&order_by=created_at",
            "/merge_requests/7/notes/42",
            "PUT",
        ),
        (
            "gitea",
            "/api/api/v1/repos/acme/chat",
            "/commits/SHA/pull",
            json!({ "number": 7 }),
            "/issues/7/comments",
            "?limit=50&page=1",
            "/issues/comments/42",
            "PATCH",
        ),
    ] {
        let sink = Sink::new();
        let mut bench = Bench::new(&comment_on(&sink, forge)).await;
        bench.pages = Some(Pages::at("https://andon.example.com".parse().unwrap()));
        let at = |path: &str| format!("{api}{}", path.replace("SHA", bench::SHA));
        let listed = at(&format!("{comments}{query}"));
        sink.always(&at(asked), answer(requests));
        let others = json!({ "id": 41, "body": "<!-- andon:comment chat -->\nI am a stranger" });
        sink.next(&listed, [answer(json!([others]))]);
        bench.put(0, "7", &comment("### red"), None).await;
        assert_eq!(bench.deliver().await, [], "{forge}");
        let first = said(&sink, &at(comments));
        let link = "[The whole cycle](https://andon.example.com/pipelines/chat)";
        let [(method, text)] = &first[..] else { panic!("{first:?}") };
        assert_eq!(method, "POST", "{forge}: what a stranger wrote is not ours");
        assert!(text.starts_with("<!-- andon:comment chat "), "{text}");
        assert!(text.ends_with(&format!(" -->\n### red\n\n{link}\n")), "{text}");

        let ours = json!({ "id": 42, "body": text });
        sink.next(&listed, [answer(json!([others, ours]))]);
        bench.put(0, "8", &comment("### green"), None).await;
        assert_eq!(bench.deliver().await, [], "{forge}");
        let second = said(&sink, &at(edit));
        assert_eq!(second[0].0, verb);
        assert!(second[0].1.contains("### green"), "{second:?}");
        assert_eq!(said(&sink, &at(comments)).len(), 1, "no second comment: {forge}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_no_pull_request_brought_is_told_nowhere() {
    let sink = Sink::new();
    let bench = Bench::new(&comment_on(&sink, "gitea")).await;
    let asked = format!("/api/api/v1/repos/acme/chat/commits/{}/pull", bench::SHA);
    sink.always(&asked, status(404));
    bench.put(0, "7", &comment("red"), None).await;
    assert_eq!(bench.deliver().await, []);
    assert_eq!((sink.asked(&asked).len(), bench.counts().await), (1, (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_leads_to_its_page() {
    let sink = Sink::new();
    let slack_at = format!("  - slack: {{ url: \"{}\" }}\n", sink.url("/slack"));
    let mut bench = Bench::new(&format!("{slack_at}{}", github(&sink))).await;
    bench.pages = Some(Pages::at("https://ci.example.com/andon/".parse().unwrap()));
    let mut about = serde_json::to_value(slack("red")).unwrap();
    about["about_cycle"] = json!(7);
    bench.put_stored(0, "1", about).await;
    bench.put(1, "2", &commit(StatusState::Failure), None).await;
    assert_eq!(bench.deliver().await, []);
    let page = "https://ci.example.com/andon/pipelines/chat";
    assert_eq!(sink.asked("/slack")[0].json()["text"], format!("red\n<{page}/cycles/7>"));
    assert_eq!(sink.asked(&status_path())[0].json()["target_url"], page);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_no_comment_keeps_no_other_from_its_own() {
    let sink = Sink::new();
    let bench = Bench::new(&comment_on(&sink, "github")).await;
    let at = |path: &str| format!("/api/repos/acme/chat{path}");
    let brought = at(&format!("/commits/{}/pulls", bench::SHA));
    sink.always(&brought, answer(json!([{ "number": 7 }, { "number": 8 }])));
    for number in [7, 8] {
        sink.always(
            &at(&format!("/issues/{number}/comments?per_page=50&page=1")),
            answer(json!([])),
        );
    }
    sink.always(&at("/issues/7/comments"), status(403));
    bench.put(0, "7", &comment("red"), None).await;
    assert_eq!(bench.deliver().await, []);
    assert_eq!(said(&sink, &at("/issues/8/comments")).len(), 1);
    // A repository that the token may not see is told, and not taken for one without requests.
    sink.always(&brought, status(404));
    bench.put(0, "8", &comment("red"), None).await;
    assert_eq!(bench.deliver().await, []);
    assert_eq!(bench.counts().await, (0, 1), "given up, with an error in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_status_is_tried_again_where_the_forge_hides_the_repository() {
    let sink = Sink::new();
    let bench = Bench::new(&github(&sink)).await;
    sink.next(&status_path(), [status(404)]);
    bench.put(0, "1", &commit(StatusState::Failure), None).await;
    assert_eq!(bench.deliver().await.len(), 1);
    bench.advance(60);
    assert_eq!(bench.deliver().await, []);
    assert_eq!(sink.asked(&status_path()).len(), 2);
}
