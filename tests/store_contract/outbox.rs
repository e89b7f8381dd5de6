//! News on their way: once for each key, in order for each target, until they are delivered.

use andon::store::{Append, Attempted, Delivery, Message, NewMessage, Projection, Store};

use crate::Backend;
use crate::sample::{append, at, new_cycle, pipeline, resolved};

pub fn message(key: &str, target: &str, topic: Option<&str>) -> NewMessage {
    NewMessage {
        key: key.to_owned(),
        pipeline: pipeline("chat"),
        target: target.to_owned(),
        body: format!("{{\"about\":\"{key}\"}}"),
        topic: topic.map(str::to_owned),
    }
}

async fn put(store: &dyn Store, messages: &[NewMessage]) -> u32 {
    store.put_messages(messages.to_vec(), at(1)).await.unwrap()
}

/// The keys of what is next, oldest first.
async fn next_keys(store: &dyn Store) -> Vec<String> {
    store.next_messages().await.unwrap().into_iter().map(|message| message.key).collect()
}

async fn next_of(store: &dyn Store, target: &str) -> Message {
    let messages = store.next_messages().await.unwrap();
    messages.into_iter().find(|message| message.target == target).unwrap()
}

async fn finish(store: &dyn Store, id: i64, delivery: Delivery) {
    store.finish_delivery(id, delivery, at(9)).await.unwrap();
}

fn again(second: i64) -> Delivery {
    Delivery::Again { not_before: at(second), error: "refused".to_owned() }
}

fn given_up() -> Delivery {
    Delivery::GivenUp { error: "gone".to_owned() }
}

pub async fn a_message_waits_as_it_was_stored_and_once<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    assert_eq!(put(&*store, &[]).await, 0);
    assert_eq!(put(&*store, &[message("1", "mail", None), message("2", "mail", None)]).await, 2);
    store.close().await;
    let store = backend.open().await;
    assert_eq!(put(&*store, &[message("2", "mail", None), message("3", "mail", None)]).await, 1);
    let first = next_of(&*store, "mail").await;
    let expected = Message {
        id: first.id,
        key: "1".to_owned(),
        pipeline: pipeline("chat"),
        target: "mail".to_owned(),
        body: "{\"about\":\"1\"}".to_owned(),
        attempts: 0,
        created_at: at(1),
        not_before: at(1),
        last_error: None,
    };
    assert_eq!(first, expected);
    assert_eq!(store.outbox_counts().await.unwrap(), (3, 0));
    // What is delivered stays known.
    finish(&*store, first.id, Delivery::Accepted).await;
    assert_eq!(put(&*store, &[message("1", "mail", None)]).await, 0);
    assert_eq!(store.outbox_counts().await.unwrap(), (2, 0));
}

pub async fn messages_come_with_the_append_that_made_them<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let cycle = new_cycle(&*store, "chat", "staging").await;
    let topic = Some("status of 4f1c2aa");
    put(&*store, &[message("pending", "forge", topic), message("known", "mail", None)]).await;
    let messages = vec![message("end", "forge", topic), message("known", "mail", None)];
    let projection = Projection { messages, ..Projection::default() };
    store.append(Append { projection, ..append(&cycle, 1, vec![resolved('a')]) }).await.unwrap();
    let mut keys = next_keys(&*store).await;
    keys.sort();
    assert_eq!(keys, ["end", "known"]);
    assert!(store.knows_message("pending").await.unwrap(), "it gave way, and is known");
    assert!(!store.knows_message("other").await.unwrap());
}

pub async fn each_target_delivers_in_order<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let elsewhere = NewMessage { pipeline: pipeline("web"), ..message("w1", "mail", None) };
    let messages = [
        message("m1", "mail", None),
        message("c1", "chat", None),
        message("m2", "mail", None),
        message("c2", "chat", None),
        elsewhere,
    ];
    put(&*store, &messages).await;
    assert_eq!(next_keys(&*store).await, ["m1", "c1", "w1"]);
    finish(&*store, next_of(&*store, "chat").await.id, Delivery::Accepted).await;
    assert_eq!(next_keys(&*store).await, ["m1", "c2", "w1"]);
    // One that fails holds up those behind it, and nobody else.
    let stuck = next_of(&*store, "mail").await.id;
    finish(&*store, stuck, again(500)).await;
    finish(&*store, stuck, again(900)).await;
    let tried = next_of(&*store, "mail").await;
    assert_eq!((tried.key.as_str(), tried.attempts, tried.not_before), ("m1", 2, at(900)));
    assert_eq!(tried.last_error.as_deref(), Some("refused"));
    finish(&*store, stuck, given_up()).await;
    assert_eq!(next_keys(&*store).await, ["m2", "c2", "w1"]);
    assert_eq!(store.outbox_counts().await.unwrap(), (3, 1));
}

pub async fn what_is_dealt_with_elsewhere_is_passed_over<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let messages = ["m1", "m2"].map(|key| message(key, "mail", None));
    put(&*store, &messages).await;
    put(&*store, &[message("c1", "chat", None)]).await;
    let (mail, chat) = (next_of(&*store, "mail").await.id, next_of(&*store, "chat").await.id);
    let left = store.next_messages_besides(&[mail, chat, 99]).await.unwrap();
    assert_eq!(left.into_iter().map(|message| message.key).collect::<Vec<_>>(), ["m2"]);
    // Several attempts are noted at once, of several messages.
    let noted = |id, attempts, delivery| Attempted { id, attempts, delivery, at: at(9) };
    let attempted = vec![noted(mail, 3, again(500)), noted(chat, 1, Delivery::Accepted)];
    store.note_attempts(attempted).await.unwrap();
    assert_eq!(next_of(&*store, "mail").await.attempts, 3);
    assert_eq!(store.outbox_counts().await.unwrap(), (2, 0));
}

pub async fn what_is_over_stays_over<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    put(&*store, &[message("1", "mail", None), message("2", "chat", None)]).await;
    let (delivered, lost) = (next_of(&*store, "mail").await.id, next_of(&*store, "chat").await.id);
    finish(&*store, delivered, Delivery::Accepted).await;
    finish(&*store, lost, given_up()).await;
    for late in [again(500), given_up()] {
        finish(&*store, delivered, late).await;
    }
    finish(&*store, lost, again(500)).await;
    finish(&*store, 99, Delivery::Accepted).await;
    assert_eq!(store.next_messages().await.unwrap(), []);
    assert_eq!(store.outbox_counts().await.unwrap(), (0, 1));
}

pub async fn a_later_message_of_a_topic_takes_the_place_of_one_that_waits<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let topic = Some("status of 4f1c2aa");
    let elsewhere = NewMessage { pipeline: pipeline("web"), ..message("w", "forge", topic) };
    let kept = [message("other", "forge", Some("status of 7a7a7a7")), elsewhere];
    put(&*store, &[message("pending", "forge", topic)]).await;
    put(&*store, &kept).await;
    put(&*store, &[message("m", "mail", topic), message("none", "forge", None)]).await;
    put(&*store, &[message("failure", "forge", topic), message("success", "forge", topic)]).await;
    let mut order = Vec::new();
    while let Some(first) = store.next_messages().await.unwrap().into_iter().next() {
        finish(&*store, first.id, Delivery::Accepted).await;
        order.push(first.key);
    }
    assert_eq!(order, ["other", "w", "m", "none", "success"]);
    // A repetition takes nobody's place.
    put(&*store, &[message("third", "forge", topic)]).await;
    assert_eq!(put(&*store, &[message("success", "forge", topic)]).await, 0);
    assert_eq!(next_keys(&*store).await, ["third"]);
}

pub async fn a_message_that_was_tried_keeps_its_place<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let topic = Some("status of 4f1c2aa");
    put(&*store, &[message("pending", "forge", topic)]).await;
    finish(&*store, next_of(&*store, "forge").await.id, again(500)).await;
    put(&*store, &[message("success", "forge", topic)]).await;
    let tried = next_of(&*store, "forge").await;
    assert_eq!(tried.key, "pending");
    finish(&*store, tried.id, Delivery::Accepted).await;
    assert_eq!(next_keys(&*store).await, ["success"]);
}

pub async fn what_is_superseded_on_its_way_is_not_tried_again<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let topic = Some("status of 4f1c2aa");
    for (round, end) in [again(500), given_up(), Delivery::Accepted].into_iter().enumerate() {
        let (first, second) = (format!("{round} pending"), format!("{round} success"));
        put(&*store, &[message(&first, "forge", topic)]).await;
        let on_its_way = next_of(&*store, "forge").await;
        assert_eq!(on_its_way.key, first);
        put(&*store, &[message(&second, "forge", topic)]).await;
        finish(&*store, on_its_way.id, end).await;
        assert_eq!(next_keys(&*store).await, [second]);
        finish(&*store, next_of(&*store, "forge").await.id, Delivery::Accepted).await;
    }
    assert_eq!(store.outbox_counts().await.unwrap(), (0, 0), "nothing was given up");
}

/// By the beginning of its key, whatever became of a message.
pub async fn messages_are_found_by_how_their_keys_begin<B: Backend>() {
    let backend = B::create();
    let store = backend.open().await;
    let keys = ["chat/1/status/pending/a", "chat/1/status/end/a", "chat/11/status/pending/a"];
    let messages = keys.map(|key| message(key, "forge", Some("commit")));
    put(&*store, &messages).await;
    let told = store.messages_under("chat/1/status/pending/").await.unwrap();
    assert_eq!(told, messages[..1]);
    let delivered = next_of(&*store, "forge").await;
    finish(&*store, delivered.id, Delivery::Accepted).await;
    assert_eq!(store.messages_under("chat/11/").await.unwrap(), messages[2..]);
    assert_eq!(store.messages_under("chat/1").await.unwrap(), messages);
    assert_eq!(store.messages_under("no").await.unwrap(), []);
}
