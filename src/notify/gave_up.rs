//! News of a loop that ends without what it runs for: once for its last cycle. Pure.

use serde_json::json;

use super::message::Notice;
use super::news::Messages;
use crate::domain::spec::{NewsKind, Pipeline};
use crate::store::NewMessage;

/// The loop of the pipeline ended with this cycle, because of `why`: nothing goes on until a commit, a
/// schedule or a person begins it anew, so whoever wants to hear when a person is needed is told.
pub fn gave_up(pipeline: &Pipeline, cycle: u32, why: &str) -> Vec<NewMessage> {
    let notice = Notice::gave_up(pipeline.name.as_str(), cycle, why);
    let mut out = Messages::of(pipeline);
    let key = format!("{}/{cycle}/{}", pipeline.name, notice.event);
    out.tell(&[NewsKind::Held], &key, &notice, || {
        json!({
            "pipeline": pipeline.name, "environment": pipeline.environment,
            "event": notice.event, "cycle": cycle, "detail": notice.title,
        })
    });
    out.messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::testing;
    use crate::domain::spec::{Notify, NotifyChannel, SlackNotify};
    use crate::domain::template::Template;

    #[test]
    fn whoever_wants_to_hear_that_a_person_is_needed_is_told_once_a_cycle() {
        let slack = |url| NotifyChannel::Slack(SlackNotify { url: Template::literal(url) });
        let channel = |url, on| Notify { channel: slack(url), on: vec![on] };
        let pipeline = Pipeline {
            notify: vec![
                channel("https://example.com/1", NewsKind::Held),
                channel("https://example.com/2", NewsKind::Fixed),
            ],
            ..testing::pipeline()
        };
        let told = gave_up(&pipeline, 3, "given up after 3 cycles of one revision");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].body.contains("given up after 3 cycles"), "{told:?}");
        assert!(told[0].body.contains("andon trigger"), "{told:?}");
        assert_eq!(told[0].key, gave_up(&pipeline, 3, "another word")[0].key);
        assert_ne!(told[0].key, gave_up(&pipeline, 4, "another cycle")[0].key);
    }
}
