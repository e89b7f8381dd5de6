//! News of the disk: that no cycle begins for want of room, and that they do again. Pure. They are
//! about all pipelines, so a channel that several of them name is told once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

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

/// They do again.
pub fn room_again<'a>(
    pipelines: impl IntoIterator<Item = &'a Pipeline>,
    since: Timestamp,
) -> Vec<NewMessage> {
    tell(pipelines, since, &Notice::room_again())
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
        let key = format!("{}/{since}/{}", pipeline.name, notice.event);
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
        let over = room_again(&pipelines, testing::at(0));
        assert_eq!(over.len(), 2);
        assert!(over.iter().zip(&told).all(|(over, told)| over.key != told.key));
        // The same is the same message, and another time is another.
        assert_eq!(no_room(&pipelines, why, testing::at(0))[0].key, told[0].key);
        assert_ne!(no_room(&pipelines, why, testing::at(9))[0].key, told[0].key);
    }
}
