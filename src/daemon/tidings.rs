//! Who is to be told of the disk, and who was: a want of room and its end come in pairs. Pure.

use std::collections::BTreeSet;

use crate::notify;
use crate::store::NewMessage;

/// News of the disk, in the order in which they come about.
#[derive(Debug, Default)]
pub(super) struct Tidings {
    /// Of a want of room; stored, and their end is not.
    told: Vec<NewMessage>,
    /// Not stored yet.
    untold: Vec<NewMessage>,
}

impl Tidings {
    /// What an earlier process told: all news of the disk that are stored, oldest first.
    pub(super) fn recall(stored: Vec<NewMessage>) -> Self {
        Self { told: notify::without_end(stored), untold: Vec::new() }
    }

    /// One of those who know of the want and not of its end.
    pub(super) fn any_told(&self) -> Option<&NewMessage> {
        self.told.first()
    }

    /// The room lacks, and these are to be told, except those who know.
    pub(super) fn begin(&mut self, want: Vec<NewMessage>) {
        let knowing: BTreeSet<_> = self.told.iter().map(channel).collect();
        let unknowing = want.into_iter().filter(|message| !knowing.contains(&channel(message)));
        self.untold = unknowing.collect();
    }

    /// There is room again. Who was not told of the want is not told of that either.
    pub(super) fn end(&mut self) {
        self.untold = notify::room_again(&self.told);
        self.forget_what_has_no_end();
    }

    /// What is to be stored.
    pub(super) fn untold(&self) -> &[NewMessage] {
        &self.untold
    }

    /// All that was to be stored is.
    pub(super) fn stored(&mut self) {
        let ends: BTreeSet<_> =
            notify::room_again(&self.told).into_iter().map(|it| it.key).collect();
        let (over, begun): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.untold).into_iter().partition(|it| ends.contains(&it.key));
        let over: BTreeSet<_> = over.iter().map(channel).collect();
        self.told.retain(|told| !over.contains(&channel(told)));
        self.told.extend(begun);
    }

    fn forget_what_has_no_end(&mut self) {
        let ends: BTreeSet<_> = self.untold.iter().map(channel).collect();
        self.told.retain(|told| ends.contains(&channel(told)));
    }
}

/// By which channel a message goes.
fn channel(message: &NewMessage) -> (String, String) {
    (message.pipeline.to_string(), message.target.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::names::PipelineName;

    /// A want of room since `since`, for each of these channels.
    fn want(since: u32, channels: &[&str]) -> Vec<NewMessage> {
        let of = |channel: &&str| NewMessage {
            key: format!("{}{since}/no_room/a/{channel}", notify::DISK_KEYS),
            pipeline: PipelineName::parse("a").unwrap(),
            target: (*channel).to_owned(),
            body: r#"{"kind":"email","subject":"s","text":"t"}"#.to_owned(),
            topic: None,
        };
        channels.iter().map(of).collect()
    }

    fn keys(messages: &[NewMessage]) -> Vec<&str> {
        messages.iter().map(|it| it.key.strip_prefix(notify::DISK_KEYS).unwrap()).collect()
    }

    #[test]
    fn whoever_was_told_of_the_want_is_told_of_its_end_and_nobody_else() {
        let mut tidings = Tidings::default();
        // Nobody was served then, so nobody is told, whoever is served when it is over.
        tidings.begin(Vec::new());
        tidings.stored();
        tidings.end();
        assert_eq!(tidings.untold(), []);
        // What could not be stored was not told.
        tidings.begin(want(1, &["x"]));
        tidings.end();
        assert_eq!(tidings.untold(), []);
        tidings.begin(want(2, &["x", "y"]));
        assert_eq!(keys(tidings.untold()), ["2/no_room/a/x", "2/no_room/a/y"]);
        tidings.stored();
        assert_eq!(tidings.untold(), []);
        tidings.end();
        assert_eq!(keys(tidings.untold()), ["2/room_again/a/x", "2/room_again/a/y"]);
        tidings.stored();
        tidings.end();
        assert_eq!(tidings.untold(), []);
    }

    #[test]
    fn who_was_not_told_that_it_was_over_is_not_told_that_it_begins() {
        let mut tidings = Tidings::default();
        tidings.begin(want(1, &["x"]));
        tidings.stored();
        tidings.end();
        // Full again before that could be stored.
        tidings.begin(want(2, &["x", "y"]));
        assert_eq!(keys(tidings.untold()), ["2/no_room/a/y"]);
        tidings.stored();
        tidings.end();
        assert_eq!(keys(tidings.untold()), ["1/room_again/a/x", "2/room_again/a/y"]);
    }

    #[test]
    fn the_next_process_tells_the_end_of_what_the_last_one_told() {
        let told = want(1, &["x"]);
        let mut tidings = Tidings::recall(told.clone());
        assert_eq!(tidings.any_told(), told.first());
        tidings.begin(want(2, &["x"]));
        assert_eq!(tidings.untold(), []);
        tidings.end();
        let end = tidings.untold().to_vec();
        assert_eq!(keys(&end), ["1/room_again/a/x"]);
        assert_eq!(Tidings::recall([told, end].concat()).any_told(), None);
    }
}
