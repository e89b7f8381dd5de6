//! News of the disk: that no cycle begins for want of room, and that they do again. Pure. They are
//! about all pipelines, so a channel that several of them name is told once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::body::Body;
use super::message::Notice;
use super::news::Messages;
use crate::domain::spec::{NewsKind, Pipeline};
use crate::store::NewMessage;

/// No cycle of any of these pipelines begins, because of `why`, since then.
pub fn no_room<'a>(
    pipelines: impl IntoIterator<Item = &'a Pipeline>,
    why: &str,
    since: Timestamp,
) -> Vec<NewMessage> {
    tell(pipelines, since, &Notice::no_room(why))
}

/// How the keys begin under which these news are stored. No pipeline has such a name.
pub const DISK_KEYS: &str = "@disk/";

const WANT: &str = "/no_room/";
const END: &str = "/room_again/";

/// The end of what these channels were told, made of that alone: whoever heard of the want hears of its end,
/// and nobody else.
pub fn room_again(told: &[NewMessage]) -> Vec<NewMessage> {
    told.iter().filter_map(end_of).collect()
}

fn end_of(told: &NewMessage) -> Option<NewMessage> {
    let notice = Notice::room_again();
    let body = match serde_json::from_str(&told.body).ok()? {
        Body::Slack { .. } => Body::Slack { payload: notice.slack() },
        Body::Email { .. } => Body::Email { subject: notice.subject(), text: notice.text() },
        Body::Webhook { mut json, .. } => {
            json["event"] = json!(notice.event);
            json["detail"] = json!(notice.title);
            Body::Webhook { event: notice.event.to_owned(), json }
        }
        Body::Status { .. } | Body::Comment { .. } | Body::Publish { .. } => return None,
    };
    let key = told.key.replacen(WANT, END, 1);
    Some(NewMessage { key, body: body.stored(), ..told.clone() })
}

/// Those of these messages that tell of a want whose end was not told, given all that was stored under
/// [`DISK_KEYS`], oldest first.
pub fn without_end(stored: Vec<NewMessage>) -> Vec<NewMessage> {
    let mut last = BTreeMap::new();
    for message in stored {
        last.insert((message.pipeline.clone(), message.target.clone()), message);
    }
    last.into_values().filter(|message| message.key.contains(WANT)).collect()
}

/// Since when the room lacks that a message tells of.
pub fn since_of(told: &NewMessage) -> Option<Timestamp> {
    told.key.strip_prefix(DISK_KEYS)?.split('/').next()?.parse().ok()
}

/// A message for each channel that wants to hear when a person is needed.
fn tell<'a>(
    pipelines: impl IntoIterator<Item = &'a Pipeline>,
    since: Timestamp,
    notice: &Notice,
) -> Vec<NewMessage> {
    let mut told = BTreeSet::new();
    let mut messages = Vec::new();
    for pipeline in pipelines {
        let mut out = Messages::of(pipeline);
        let key = format!("{DISK_KEYS}{since}/{}/{}", notice.event, pipeline.name);
        out.tell(&[NewsKind::Held], &key, notice, || {
            json!({
                "pipeline": pipeline.name, "environment": pipeline.environment,
                "event": notice.event, "since": since, "detail": notice.title,
            })
        });
        messages.extend(out.messages.into_iter().filter(|it| told.insert(it.target.clone())));
    }
    messages
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::testing;
    use crate::domain::names::PipelineName;
    use crate::domain::spec::{Notify, NotifyChannel, SlackNotify};
    use crate::domain::template::Template;

    fn pipeline(name: &str, urls: &[&str], on: &[NewsKind]) -> Pipeline {
        let slack = |url: &&str| NotifyChannel::Slack(SlackNotify { url: Template::literal(url) });
        let channels = urls.iter().map(|url| Notify { channel: slack(url), on: on.to_vec() });
        Pipeline {
            name: PipelineName::parse(name).unwrap(),
            notify: channels.collect(),
            ..testing::pipeline()
        }
    }

    #[test]
    fn each_channel_is_told_once_and_again_when_it_is_over() {
        let pipelines = [
            pipeline("a", &["https://example.com/1"], &[]),
            pipeline("b", &["https://example.com/1", "https://example.com/2"], &[NewsKind::Held]),
            pipeline("c", &["https://example.com/3"], &[NewsKind::Fixed]),
        ];
        let why = "the disk of the state folder is full";
        let told = no_room(&pipelines, why, testing::at(0));
        let of: Vec<_> = told.iter().map(|message| message.pipeline.as_str()).collect();
        assert_eq!(of, ["a", "b"]);
        assert!(told.iter().all(|message| message.body.contains(why)), "{told:?}");
        let over = room_again(&told);
        let to = |messages: &[NewMessage]| -> Vec<_> {
            messages.iter().map(|it| (it.pipeline.clone(), it.target.clone())).collect()
        };
        assert_eq!(to(&over), to(&told));
        assert!(over.iter().zip(&told).all(|(over, told)| over.key != told.key));
        assert!(over.iter().all(|over| over.body.contains("begin again")), "{over:?}");
        // The same is the same message, and another time is another.
        assert_eq!(no_room(&pipelines, why, testing::at(0))[0].key, told[0].key);
        assert_ne!(no_room(&pipelines, why, testing::at(9))[0].key, told[0].key);
    }

    #[test]
    fn a_want_is_over_once_its_end_is_stored() {
        let urls = ["https://example.com/1", "https://example.com/2"];
        let pipelines = [pipeline("a", &urls, &[])];
        let of = |second| no_room(&pipelines, "it is full", testing::at(second));
        let (first, second) = (of(0), of(60));
        assert_eq!(without_end(first.clone()), first);
        assert_eq!(since_of(&first[0]), Some(testing::at(0)));
        let mut stored = [first.clone(), room_again(&first)].concat();
        assert_eq!(without_end(stored.clone()), []);
        stored.extend(second.clone());
        stored.extend(room_again(&second[..1]));
        assert_eq!(without_end(stored), second[1..]);
    }

    #[test]
    fn the_end_goes_by_the_channel_that_the_want_went_by() {
        let of = |body: Body| NewMessage {
            key: "@disk/x/no_room/a/t".to_owned(),
            pipeline: PipelineName::parse("a").unwrap(),
            target: "t".to_owned(),
            body: body.stored(),
            topic: None,
        };
        let json = json!({ "event": "no_room", "detail": "full", "since": "x", "pipeline": "a" });
        let hook = room_again(&[of(Body::Webhook { event: "no_room".to_owned(), json })]);
        let Ok(Body::Webhook { event, json }) = serde_json::from_str(&hook[0].body) else {
            panic!("{hook:?}");
        };
        assert_eq!((event.as_str(), &json["event"]), ("room_again", &json!("room_again")));
        assert_eq!((&json["since"], &json["pipeline"]), (&json!("x"), &json!("a")));
        assert_eq!(hook[0].key, "@disk/x/room_again/a/t");
        let mail = of(Body::Email { subject: "s".to_owned(), text: "t".to_owned() });
        assert!(room_again(&[mail])[0].body.contains("begin again"));
    }
}
